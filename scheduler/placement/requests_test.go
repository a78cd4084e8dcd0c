package placement

import (
	"fmt"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestClassesAreAskedByTierEightAtATime(t *testing.T) {
	t.Parallel()
	var rules []Class
	for i := range 10 {
		rules = append(rules, classOf(t, stream.Class{Prefer: fmt.Sprintf("^other%d", i)}))
	}
	wanted, neutral, closed := stream.Class{Filter: "^s"}, stream.Class{}, stream.Class{Filter: "^z"}
	rules = append(rules, classOf(t, neutral), classOf(t, closed), classOf(t, wanted))
	c := Instance{Key: "s1", Instance: "record.1", Type: "record"}
	var known Known
	a := Plan(c, Candidates(c, rules), &known, 8)
	if len(a) != 3 || len(a[0]) != 2 || len(a[1]) != 8 || len(a[2]) != 2 {
		t.Fatalf("requests %+v; want three, the ten of a rank together as far as that goes", a)
	}
	if a[0][0].Class != wanted.ID() || a[0][1].Class != neutral.ID() || a[1][0].Rank != 2 {
		t.Errorf("order %+v; want filter matches, neutral, preference misses", a)
	}
	for _, refused := range a {
		known.Learn(refused, nil)
	}
	if again := Plan(c, Candidates(Instance{Key: "s2"}, rules), &known, 8); len(again) != 0 {
		t.Errorf("asked again for classes that are full: %+v", again)
	}
}

// TestOneSlotsOwnRefusalSaysNothingOfOthers: what it could not have stays open to others,
// and what it could have had does not.
func TestOneSlotsOwnRefusalSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	classes := []Candidate{{Class: "c"}, {Rank: 1, Class: "d"}}
	plain := Instance{Key: "s1", Instance: "record.1", Type: "record"}
	with := func(change func(*Instance)) Instance { i := plain; change(&i); return i }
	tests := []struct {
		name   string
		of     Instance
		asks   string      // its requests
		passed []Candidate // of each
		leaves string      // those of one behind it
		closed string
	}{
		{"plain", plain, "[{0 c } {1 d }]", nil, "", ""},
		{"avoids a", plain, "[{0 c } {1 d }]", []Candidate{{Class: "c", Host: "a"}, {Class: "c", Host: "a"}}, "[{0 c a}]", ""},
		{"shares nothing with those of c", plain, "[{0 c } {1 d }]", []Candidate{{Class: "c", Host: All}}, "[{0 c }]", ""},
		{"is pinned", with(func(i *Instance) { i.Pin = "z" }), "[{0 c z} {1 d z}]", []Candidate{{Class: "d", Host: "z"}}, "[{0 c } {1 d }]", "z"},
		{"was stopped to move to b, if that has room", with(func(i *Instance) { i.Move = "b" }), "[{0 c b} {1 d b}] [{0 c } {1 d }]", nil, "", "b"},
		{"is a successor for b alone", with(func(i *Instance) { i.Move, i.Follows = "b", "record.1" }), "[{0 c b} {1 d b}]", []Candidate{{Class: "c", Host: "b"}, {Class: "d", Host: "b"}}, "[{0 c } {1 d }]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var known Known
			asked := Plan(tt.of, classes, &known, 8)
			text := strings.Trim(fmt.Sprint(asked), "[]")
			if text != strings.Trim(tt.asks, "[]") {
				t.Fatalf("asks %v; want %s", asked, tt.asks)
			}
			for _, refused := range asked {
				known.Learn(refused, tt.passed)
			}
			if left := strings.Trim(fmt.Sprint(Plan(plain, classes, &known, 8)), "[]"); left != strings.Trim(tt.leaves, "[]") {
				t.Errorf("leaves %s to those behind it; want %s", left, tt.leaves)
			}
			if closed := strings.Join(known.Closed(), " "); closed != tt.closed {
				t.Errorf("keeps %q from those behind it; want %q", closed, tt.closed)
			}
		})
	}
}

// TestOfAFullClassEachHostIsAskedOnce: what was passed over for one and is refused to the
// next is open to none.
func TestOfAFullClassEachHostIsAskedOnce(t *testing.T) {
	t.Parallel()
	var known Known
	classes := []Candidate{{Class: "c"}}
	known.Learn(classes, []Candidate{{Class: "c", Host: "a"}, {Class: "c", Host: "b"}})
	next := Plan(Instance{}, classes, &known, 8)
	if got := fmt.Sprint(next); got != "[[{0 c a} {0 c b}]]" {
		t.Fatalf("asks %s", got)
	}
	known.Learn(next[0], []Candidate{{Class: "c", Host: "b"}})
	if got := fmt.Sprint(Plan(Instance{}, classes, &known, 8)); got != "[[{0 c b}]]" {
		t.Errorf("asks %s; want b alone, which the second avoids, too", got)
	}
	known.Close("c", "")
	if !known.Full("c") {
		t.Error("closed, the class is open")
	}
}
