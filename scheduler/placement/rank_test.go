package placement

import (
	"slices"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestWithinARankTheEmptiestHeadIsAskedFirst(t *testing.T) {
	t.Parallel()
	candidates := []Candidate{{0, "w", ""}, {1, "a", ""}, {1, "b", ""}, {1, "c", ""}, {2, "o", ""}}
	ByLoad(candidates, map[string]float64{"w": 9, "a": 5, "c": 1, "o": 0}) // b has no host with room
	var order []string
	for _, c := range candidates {
		order = append(order, c.Class)
	}
	if want := []string{"w", "c", "a", "b", "o"}; !slices.Equal(order, want) {
		t.Errorf("asked in the order %v, want %v", order, want)
	}
}

// TestWhatIsNonsenseOrNotFedIsNoCandidate: a class that does not compile, one whose
// filter is another's, one that misses a variable.
func TestWhatIsNonsenseOrNotFedIsNoCandidate(t *testing.T) {
	t.Parallel()
	needy := classOf(t, stream.Class{Needs: "dist:url"})
	classes := []Class{{ID: "nonsense"}, classOf(t, stream.Class{Filter: "^z"}), needy}
	if got := Candidates(Instance{Key: "s1"}, classes); len(got) != 0 {
		t.Errorf("candidates %v, want none", got)
	}
	if got := Candidates(Instance{Key: "s1", Published: map[stream.Need]bool{{Slot: "dist", Var: "url"}: true}}, classes); len(got) != 1 || got[0].Class != needy.ID {
		t.Errorf("candidates %v, want the one whose need is published", got)
	}
}

// TestNearerComesFirst: within a tier by the first target, then the next, then by who of
// its siblings is there; the host itself before its site, the site before the region.
func TestNearerComesFirst(t *testing.T) {
	t.Parallel()
	places := map[string]stream.Labels{
		"alb": {"site": "alb", "region": "sw"}, "alb-gpu": {"site": "alb", "region": "sw", "gpu": "x"}, "ulm": {"site": "ulm", "region": "sw"}, "ber": {"site": "ber", "region": "no"}, "none": nil,
	}
	var classes []Class
	name := map[string]string{}
	for _, at := range []string{"none", "ber", "ulm", "alb-gpu", "alb"} {
		c := classOf(t, labelled(places[at]))
		name[c.ID], classes = at, append(classes, c)
	}
	source := Target{Name: "source", Labels: stream.Labels{"site": "alb", "region": "sw"}}
	on := func(host, at string) Target { return Target{Name: "dist", Host: host, Labels: places[at]} }
	for _, tt := range []struct {
		name string
		of   Instance
		want string
	}{
		{"without a wish", Instance{}, "none ber ulm alb-gpu alb"},
		{"near the source", Instance{Near: []Target{source}}, "alb-gpu alb|ulm|none ber"},
		{"near a host", Instance{Near: []Target{on("u1", "ulm")}}, "ulm/u1|ulm|alb-gpu alb|none ber"},
		{"near the source, then a host there", Instance{Near: []Target{source, on("a1", "alb")}}, "alb/a1|alb-gpu alb|ulm|none ber"},
		{"near the source, then a host elsewhere", Instance{Near: []Target{source, on("b1", "ber")}}, "alb-gpu alb|ulm|ber/b1|ber|none"},
		{"near two hosts", Instance{Near: []Target{on("a1", "alb"), on("a2", "alb")}}, "alb/a1|alb/a2|alb-gpu alb|ulm|none ber"},
		{"near a host without labels", Instance{Near: []Target{on("n1", "none")}}, "none/n1|none ber ulm alb-gpu alb"},
		{"spread over sites", Instance{Spread: "site", Siblings: map[string]int{"alb": 2, "ulm": 1}}, "none ber|ulm|alb-gpu alb"},
		{"near the source, and spread", Instance{Near: []Target{source}, Spread: "gpu", Siblings: map[string]int{"x": 1}}, "alb|alb-gpu|ulm|none ber"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.of.Key = "s1"
			var got strings.Builder
			for i, c := range Candidates(tt.of, classes) {
				if c.Rank != strings.Count(got.String(), "|") {
					got.WriteString("|")
				} else if i > 0 {
					got.WriteString(" ")
				}
				got.WriteString(name[c.Class])
				if c.Host != "" {
					got.WriteString("/" + c.Host)
				}
			}
			if got.String() != tt.want {
				t.Errorf("%s\nwant %s", got.String(), tt.want)
			}
		})
	}
}
