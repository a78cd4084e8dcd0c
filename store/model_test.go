package store_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
)

var (
	modelOps  = flag.Int("model.ops", 6_000, "steps of the random model, over all its seeds")
	modelSeed = flag.Uint64("model.seed", 0, "run this seed of the random model alone")
)

// TestModelHoldsWhateverHappens lets simulated runners, schedulers and pollers
// use a real Redis through faults of every kind. After each step I1 to I7 must
// hold, and L1 once the faults have ended for a while.
func TestModelHoldsWhateverHappens(t *testing.T) {
	t.Parallel()
	const seeds = 4
	for i := range uint64(seeds) {
		seed, n := i+1, *modelOps/seeds
		if *modelSeed != 0 {
			if i > 0 {
				break
			}
			seed, n = *modelSeed, *modelOps
		}
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			t.Parallel()
			m := modelRun{seed: seed, ops: n, alter: func(w *world) error { w.words = true; return nil }}
			if w := m.run(t); w.err != nil {
				m.reduce(t, w)
			} else {
				for _, name := range slices.Sorted(maps.Keys(w.seen)) {
					t.Logf("%6d %s", w.seen[name], name)
				}
			}
		})
	}
}

// epoch is how many steps of faults come before each rest.
const epoch = 2500

// modelRun is one run of the model, to be done again with fewer faults.
type modelRun struct {
	seed  uint64
	ops   int
	off   map[string]bool
	alter func(*world) error
}

func (m modelRun) run(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(t.Context(), realtest.Redis(t).Client(), m.seed)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.faults = m.off
	if m.alter != nil {
		if err := m.alter(w); err != nil {
			t.Fatal(err)
		}
	}
	for w.err == nil && w.ops < m.ops {
		w.calm = false
		w.chaos()
		w.run(min(epoch, m.ops-w.ops))
		if w.err == nil {
			w.rest()
		}
	}
	return w
}

// rest ends all faults and waits for L1. It must come within five minutes:
// the longest hold, lapse, avoidance and lease after one another are less.
func (w *world) rest() {
	w.heal()
	var err error
	for limit := w.now + 300*second; w.now < limit && w.err == nil; {
		for until := w.now + 5*second; w.now < until && w.err == nil; {
			w.turn()
		}
		if err = w.checkRest(); err == nil && !w.torn {
			return
		}
	}
	if err == nil && w.torn && !w.noMend {
		err = errors.New("no two rounds over all records ended")
	}
	if err != nil {
		w.fail(err)
	}
}

// reduce turns off the faults that the failure does not need, for as long as a
// minute, and tells.
func (m modelRun) reduce(t *testing.T, w *world) {
	t.Helper()
	m.off = map[string]bool{}
	m.ops = w.ops + 1
	for limit, i := time.Now().Add(time.Minute), 0; i < len(faultList) && time.Now().Before(limit); i++ {
		name := faultList[i].name
		m.off[name] = true
		if v := m.run(t); v.err != nil {
			m.ops, w = v.ops+1, v
		} else {
			delete(m.off, name)
		}
	}
	var needed []string
	for _, f := range faultList {
		if !m.off[f.name] {
			needed = append(needed, f.name)
		}
	}
	last := w.trace[max(0, len(w.trace)-80):]
	t.Errorf("seed %d, step %d: %v\nwith these faults: %v; the last steps (step, seconds, what):\n%s",
		m.seed, w.ops, w.err, needed, strings.Join(last, "\n"))
}
