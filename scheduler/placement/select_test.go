package placement

import (
	"testing"

	"stream-api/stream"
)

func labelled(labels stream.Labels) stream.Class { return stream.Class{Labels: labels.Encode()} }

// TestAnItemMeansHosts: only classes of hosts with such labels are asked, the host of
// that name alone, and who waits is told which hosts there are.
func TestAnItemMeansHosts(t *testing.T) {
	t.Parallel()
	ber, ham, bare := labelled(stream.Labels{"site": "ber"}), labelled(stream.Labels{"site": "ham"}), stream.Class{}
	classes := []Class{classOf(t, ber), classOf(t, ham), classOf(t, bare)}
	services := []Service{service("b1", ber, 0, 1, stream.Up), service("h1", ham, 1, 1, stream.Up), service("x", bare, 0, 1, stream.Up)}
	view := NewView("record", classes, services)
	site := func(of ...string) stream.Selector {
		return stream.Selector{Labels: map[string]stream.Values{"site": of}}
	}
	for _, tt := range []struct {
		name string
		of   Instance
		asks []string // classes
		only string
		why  string
	}{
		{"anywhere", Instance{}, []string{ber.ID(), ham.ID(), bare.ID()}, "", ""},
		{"a site", Instance{Host: site("ber")}, []string{ber.ID()}, "", ""},
		{"a site that is full", Instance{Host: site("ham")}, []string{ham.ID()}, "", "the only record service that matches is full: 1/1"},
		{"not a site", Instance{Host: site("!ham")}, []string{ber.ID(), bare.ID()}, "", ""},
		{"a site that is not", Instance{Host: site("hamm")}, nil, "", "no host that offers record is site=hamm (b1 site=ber, h1 site=ham, x)"},
		{"a host", Instance{Host: stream.Selector{Name: "b1"}}, []string{ber.ID(), ham.ID(), bare.ID()}, "b1", ""},
		{"a host that is not", Instance{Host: stream.Selector{Name: "b2"}}, []string{ber.ID(), ham.ID(), bare.ID()}, "b2", "no host that offers record is b2 (b1, h1, x)"},
		{"a host that is full", Instance{Host: stream.Selector{Name: "h1"}}, []string{ber.ID(), ham.ID(), bare.ID()}, "h1", "the only record service that matches is full: 1/1"},
		{"a host to which no move leads away", Instance{Host: stream.Selector{Name: "b1"}, Move: "x"}, []string{ber.ID(), ham.ID(), bare.ID()}, "b1", ""},
		{"a host beside a pin to another", Instance{Host: stream.Selector{Name: "b1"}, Pin: "x"}, nil, "", "pinned to x: it offers no record that matches this stream"},
		{"a site beside a pin", Instance{Host: site("ber"), Pin: "b1"}, []string{ber.ID()}, "b1", ""},
		{"what the stream does not say", Instance{Host: site("${stream:room}")}, nil, "", "it is to run on ${stream:room}, and the stream has no value for that"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.of.Key, tt.of.Instance, tt.of.Type = "s1", "record.1", "record"
			asked, only := map[string]bool{}, ""
			for _, candidates := range Plan(tt.of, Candidates(tt.of, classes), &Known{}, 8) {
				for _, c := range candidates {
					only, asked[c.Class] = c.Host, true
				}
			}
			if len(asked) != len(tt.asks) || only != tt.only {
				t.Errorf("asks %v on %q; want %v on %q", asked, only, tt.asks, tt.only)
			}
			for _, class := range tt.asks {
				if !asked[class] {
					t.Errorf("does not ask %s", class)
				}
			}
			if why := view.Explain(tt.of, Chain{}); why.String() != tt.why || !why.IsZero() && why.Code.Waits() == stream.WhyOther {
				t.Errorf("waits: %q, of the class %s; want %q", why, why.Code.Waits(), tt.why)
			}
		})
	}
}
