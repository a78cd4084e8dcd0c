package scheduler

import (
	"fmt"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

func TestClassesAreAskedByTierEightAtATime(t *testing.T) {
	t.Parallel()
	var rules []classRule
	for i := range 10 {
		rules = append(rules, ruleOf(t, stream.Class{Prefer: fmt.Sprintf("^other%d", i)}))
	}
	wanted, neutral, closed := stream.Class{Filter: "^s"}, stream.Class{}, stream.Class{Filter: "^z"}
	rules = append(rules, ruleOf(t, neutral), ruleOf(t, closed), ruleOf(t, wanted))
	c := store.Circumstances{SlotRecord: store.SlotRecord{Reservation: store.Reservation{Key: "s1", Slot: "record", Type: "record"}}}
	a := plan(c, candidates("s1", nil, rules), map[string]bool{})
	if len(a.requests) != 2 || len(a.requests[0].Candidates) != store.MaxClasses || len(a.requests[1].Candidates) != 4 {
		t.Fatalf("requests %+v; want two, of 8 and 4 classes", a.requests)
	}
	first := a.requests[0].Candidates
	if first[0].Class != wanted.ID() || first[1].Class != neutral.ID() || first[2].Tier != stream.TierOther {
		t.Errorf("order %+v; want filter matches, neutral, preference misses", first)
	}
	full := map[string]bool{}
	if got := a.learn([]store.Placement{{Outcome: store.Full}, {Outcome: store.Full}}, full); got.Outcome != store.Full || len(full) != 12 {
		t.Errorf("outcome %v, %d classes full; want Full and 12", got.Outcome, len(full))
	}
	if again := plan(c, candidates("s2", nil, rules), full); len(again.requests) != 0 {
		t.Errorf("asked again for classes that are full: %+v", again.requests)
	}
}

func TestOneSlotsOwnRefusalSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	class := store.Candidate{Class: "c"}
	slot := store.SlotRecord{Reservation: store.Reservation{Key: "s1", Slot: "record", Type: "record"}}
	avoids, moves, successor := slot, slot, slot
	avoids.Avoid = map[string]int64{"a": 1}
	moves.Move = "b"
	successor.Move, successor.Slot = "b", "record~next"
	tests := []struct {
		name string
		c    store.Circumstances
		only []string // of the requests
	}{
		{"avoids a host", store.Circumstances{SlotRecord: avoids}, []string{""}},
		{"is pinned", store.Circumstances{SlotRecord: slot, Pin: "z"}, []string{"z"}},
		{"was stopped to move to b, if that has room", store.Circumstances{SlotRecord: moves}, []string{"b", ""}},
		{"is a successor for b alone", store.Circumstances{SlotRecord: successor}, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			full := map[string]bool{}
			a := plan(tt.c, []store.Candidate{class}, full)
			if len(a.requests) != len(tt.only) {
				t.Fatalf("requests %+v; want hosts %q", a.requests, tt.only)
			}
			answers := make([]store.Placement, len(a.requests))
			for i, q := range a.requests {
				answers[i].Outcome = store.Full
				if q.Only != tt.only[i] {
					t.Errorf("request %d is for %q, want %q", i, q.Only, tt.only[i])
				}
			}
			if a.learn(answers, full); len(full) != 0 {
				t.Errorf("the class counts as full for everybody")
			}
		})
	}
}
