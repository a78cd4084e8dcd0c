package config

import (
	"slices"
	"strings"
	"testing"
)

// A match that asks for what strip takes away lets nothing in; it is warned of.
func TestAMatchThatWantsWhatStripTookIsWarnedOf(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]bool{"^stream/": true, "^stream/s": true, "^s": false, "^[^/]+$": false} {
		c := loaded(t, `sources: [{name: a, plugin: poll, chain: [], vars: {url: "http://127.0.0.1:1/stat", type: nginx-rtmp, strip: "stream/", match: "`+match+`"}}]`)
		if got := slices.ContainsFunc(c.Warnings, func(p Problem) bool { return strings.Contains(p.String(), "from which strip has taken") }); got != want {
			t.Errorf("match %s: warned %v; want %v", match, got, want)
		}
	}
}
