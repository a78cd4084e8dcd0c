package placement

import (
	"fmt"
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
	a := Plan(c, Candidates(Instance{Key: "s1"}, rules), map[string]bool{}, 8)
	if len(a.Requests) != 2 || len(a.Requests[0].Candidates) != 8 || len(a.Requests[1].Candidates) != 4 {
		t.Fatalf("requests %+v; want two, of 8 and 4 classes", a.Requests)
	}
	first := a.Requests[0].Candidates
	if first[0].Class != wanted.ID() || first[1].Class != neutral.ID() || first[2].Tier != stream.TierOther {
		t.Errorf("order %+v; want filter matches, neutral, preference misses", first)
	}
	full := map[string]bool{}
	a.Learn(0, full)
	if a.Learn(1, full); len(full) != 12 {
		t.Errorf("%d classes are full, want 12", len(full))
	}
	if again := Plan(c, Candidates(Instance{Key: "s2"}, rules), full, 8); len(again.Requests) != 0 {
		t.Errorf("asked again for classes that are full: %+v", again.Requests)
	}
}

func TestOneSlotsOwnRefusalSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	class := Candidate{Class: "c"}
	instance := Instance{Key: "s1", Instance: "record.1", Type: "record"}
	avoids, moves, successor, pinned := instance, instance, instance, instance
	pinned.Pin = "z"
	avoids.Avoid = map[string]int64{"a": 1}
	moves.Move = "b"
	successor.Move, successor.Follows = "b", "record.1"
	tests := []struct {
		name string
		c    Instance
		only []string // of the requests
	}{
		{"avoids a host", avoids, []string{""}},
		{"is pinned", pinned, []string{"z"}},
		{"was stopped to move to b, if that has room", moves, []string{"b", ""}},
		{"is a successor for b alone", successor, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			full := map[string]bool{}
			a := Plan(tt.c, []Candidate{class}, full, 8)
			if len(a.Requests) != len(tt.only) {
				t.Fatalf("requests %+v; want hosts %q", a.Requests, tt.only)
			}
			for i, q := range a.Requests {
				a.Learn(i, full)
				if q.Only != tt.only[i] {
					t.Errorf("request %d is for %q, want %q", i, q.Only, tt.only[i])
				}
			}
			if len(full) != 0 {
				t.Errorf("the class counts as full for everybody")
			}
		})
	}
}
