package main

import (
	"maps"
	"slices"
	"strings"

	"stream-api/config"
	"stream-api/internal/confine"
	"stream-api/stream"
)

// confineLacks is what hide does not hold on this machine, if the file asks for
// it.
func confineLacks(cfg *config.Config) string {
	if !cfg.ConfinesAnything() {
		return ""
	}
	return strings.Join(confine.Ask().Lacks(), "; ")
}

// lacking says for each kind of host what confine: hide does not hold there.
func lacking(hosts []stream.HostStatus) []string {
	by := map[string][]string{}
	for _, h := range hosts {
		if h.Lacks != "" {
			by[h.Lacks] = append(by[h.Lacks], harmless(h.Host))
		}
	}
	var out []string
	for _, lacks := range slices.Sorted(maps.Keys(by)) {
		out = append(out, "confine: hide does not hold all on "+strings.Join(by[lacks], ", ")+": "+harmless(lacks)+".")
	}
	return out
}
