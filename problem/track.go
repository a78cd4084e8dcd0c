package problem

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Change says that a problem began or ended.
type Change struct {
	At    int64  `json:"at"`    // store's ms
	Event string `json:"event"` // begins, ends
	Problem
	// Seconds is how long it lasted, if it is over.
	Seconds float64 `json:"seconds,omitempty"`
}

// The events of a Change.
const (
	Begins = "begins"
	Ends   = "ends"
)

// Tracker finds out what began and ended from one picture to the next.
type Tracker struct {
	// For is how long a problem has to last before it is told.
	For time.Duration

	known   map[string]*tracked
	started bool
}

type tracked struct {
	Problem
	first int64 // when it was seen first
	told  bool
}

// See takes in what there is at a moment, store's ms, and gives what is to be told of it. What the first picture has is
// told at once.
func (t *Tracker) See(now int64, found []Problem) []Change {
	var out []Change
	if t.known == nil {
		t.known = map[string]*tracked{}
	}
	there := map[string]bool{}
	for _, p := range found {
		there[p.ID] = true
		k := t.known[p.ID]
		if k == nil {
			k = &tracked{first: now}
			t.known[p.ID] = k
		}
		worse := k.told && k.Level != p.Level
		k.Problem = p
		if worse || !k.told && (!t.started || now-k.first >= t.For.Milliseconds()) {
			k.told = true
			out = append(out, Change{At: now, Event: Begins, Problem: p})
		}
	}
	t.started = true
	for _, id := range slices.Sorted(maps.Keys(t.known)) {
		k := t.known[id]
		if there[id] {
			continue
		}
		delete(t.known, id)
		if k.told {
			began := cmp.Or(min(k.Since, k.first), k.first)
			out = append(out, Change{At: now, Event: Ends, Problem: k.Problem, Seconds: float64(now-began) / 1000})
		}
	}
	return out
}
