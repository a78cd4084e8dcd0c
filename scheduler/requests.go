package scheduler

import (
	"cmp"
	"math"
	"slices"

	"stream-api/store"
	"stream-api/stream"
)

// attempt is one pending slot's way through the store: requests that are sent
// in order until one of them is granted.
type attempt struct {
	slot     store.Circumstances
	requests []store.Request
	// exact: a refusal says that the classes are full for everybody, as no
	// host was left out for this slot's own reasons.
	exact bool
}

// byHead puts the classes of each tier in the order of the load of their heads:
// one call of the store takes only so many, and those it is asked first are the
// ones that get the slot. It changes candidates.
func byHead(candidates []store.Candidate, heads map[string]float64) {
	load := func(c store.Candidate) float64 {
		if head, ok := heads[c.Class]; ok {
			return head
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(candidates, func(a, b store.Candidate) int {
		return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(load(a), load(b)))
	})
}

// plan makes the requests for one slot: all its candidate classes that are not
// known to be full, store.MaxClasses at a time. No request: nothing that it
// may have has room.
func plan(c store.Circumstances, candidates []store.Candidate, full map[string]bool) attempt {
	a := attempt{slot: c, exact: len(c.Avoid) == 0}
	only, fallback := c.Pin, false
	if only == "" && c.Move != "" && c.Move != "*" {
		// An operator asked for a host. A successor beside the running slot
		// can wait for it; a slot that has stopped goes there if it can.
		only, fallback = c.Move, c.Slot == stream.OwnSlot(c.Slot)
	}
	if only != "" {
		a.exact = false
		a.add(c, only, candidates)
		if !fallback {
			return a
		}
	}
	open := make([]store.Candidate, 0, len(candidates))
	for _, x := range candidates {
		if !full[x.Class] {
			open = append(open, x)
		}
	}
	a.add(c, "", open)
	return a
}

func (a *attempt) add(c store.Circumstances, only string, candidates []store.Candidate) {
	for len(candidates) > 0 {
		n := min(len(candidates), store.MaxClasses)
		a.requests = append(a.requests, store.Request{
			Key: c.Key, Slot: c.Slot, Type: c.Type, Only: only, Candidates: candidates[:n],
		})
		candidates = candidates[n:]
	}
}

// learn notes which classes were found full, and tells what became of the
// slot: the first answer that is not Full, or Full.
func (a attempt) learn(answers []store.Placement, full map[string]bool) store.Placement {
	for i, answer := range answers {
		if answer.Outcome != store.Full {
			return answer
		}
		if !a.exact || a.requests[i].Only != "" {
			continue
		}
		for _, c := range a.requests[i].Candidates {
			full[c.Class] = true
		}
	}
	return store.Placement{Outcome: store.Full}
}
