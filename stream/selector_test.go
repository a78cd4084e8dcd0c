package stream

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestASelectorMeansHostsByNameOrLabels(t *testing.T) {
	t.Parallel()
	ber, old, bare := Labels{"site": "ber", "gpu": "vaapi"}, Labels{"site": "ber", "old": "yes"}, Labels(nil)
	for _, tt := range []struct {
		text  string
		shown string
		is    [3]bool // ber, old, bare
	}{
		{`"ber1"`, "ber1", [3]bool{true, false, false}},
		{`{"site":"ber"}`, "site=ber", [3]bool{true, true, false}},
		{`{"gpu":["vaapi","nvenc"]}`, "gpu=vaapi|nvenc", [3]bool{true, false, false}},
		{`{"old":"!yes"}`, "old!=yes", [3]bool{true, false, true}},
		{`{"old":"!yes","site":"ber"}`, "old!=yes site=ber", [3]bool{true, false, false}},
		{`{"site":["!ham","!ber"]}`, "site!=ham site!=ber", [3]bool{false, false, true}},
		{`{"site":["ber","!ber"]}`, "site!=ber site=ber", [3]bool{false, false, false}},
	} {
		var s Selector
		if err := json.Unmarshal([]byte(tt.text), &s); err != nil || s.Check() != nil {
			t.Fatalf("%s: %v, %v", tt.text, err, s.Check())
		}
		if text, err := json.Marshal(s); err != nil || string(text) != tt.text {
			t.Errorf("%s is written as %s, %v", tt.text, text, err)
		}
		if s.String() != tt.shown {
			t.Errorf("%s is shown as %s, want %s", tt.text, s, tt.shown)
		}
		if got := [3]bool{s.Matches("ber1", ber), s.Matches("ber2", old), s.Matches("x", bare)}; got != tt.is {
			t.Errorf("%s means %v, want %v", tt.text, got, tt.is)
		}
	}
}

func TestASelectorIsFilledInByTheStream(t *testing.T) {
	t.Parallel()
	s := Selector{Labels: map[string]Values{"room": {"${stream:room}"}, "site": {"!${source:site:-ham}"}}}
	known := map[string]string{"stream:room": "hs1"}
	fill := func() Selector {
		return s.Resolve(func(r Ref) (string, bool, error) { v, ok := known[r.Scope+":"+r.Name]; return v, ok, nil })
	}
	if got := fill(); got.String() != "room=hs1 site!=ham" || got.Unresolved() != "" {
		t.Errorf("filled in: %s, %q is open", got, got.Unresolved())
	}
	delete(known, "stream:room")
	if got := fill().Unresolved(); got != "${stream:room}" {
		t.Errorf("without a value %q is open", got)
	}
}

func TestSelectorsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"Ham"`:                         "no host name",
		`"${host:name}"`:                "only ${stream:…} and ${source:…}",
		`{"name":"x"}`:                  "the host's name itself",
		`{"site":"b er"}`:               "no value of a label",
		`{"site":"!"}`:                  "no value of a label",
		`{"site":[]}`:                   "1 to 16",
		`{"site":"${dist:site}"}`:       "has no value here",
		`{"site":"${file:/etc/hosts}"}`: "has no value here",
	} {
		var s Selector
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want that it says %q", text, err, want)
		}
	}
}
