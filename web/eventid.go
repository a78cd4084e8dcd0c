package web

import (
	"strconv"
	"strings"
)

// parseID reads an id of the store's feed, <ms>-<n>.
func parseID(id string) (ms, n uint64, ok bool) {
	a, b, found := strings.Cut(id, "-")
	if !found || len(id) > 41 {
		return 0, 0, false
	}
	ms, err := strconv.ParseUint(a, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	n, err = strconv.ParseUint(b, 10, 64)
	return ms, n, err == nil
}

// laterID tells whether event a happened after event b. What is no id
// happened before everything.
func laterID(a, b string) bool {
	ams, an, aok := parseID(a)
	bms, bn, bok := parseID(b)
	if !aok || !bok {
		return aok
	}
	return ams > bms || ams == bms && an > bn
}
