package store_test

import (
	"errors"
	"testing"
	"time"

	"stream-api/store"
)

// TestEachGuardOfARunnerIsNeeded takes out what a runner or a supervisor must
// do for the scripts to be enough: with it nothing may break, without it
// something must.
func TestEachGuardOfARunnerIsNeeded(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(g *stage, guarded bool) error{
		"supervisors end their trees at the deadline":         deadlineOfADeadRunner,
		"the lease is trusted for less than it lasts":         trustOfAFrozenRunner,
		"a release waits until the tree is gone":              releaseBeforeTheEnd,
		"a tombstone is written before the release is sent":   releaseUnderWay,
		"a claim counts in the registration it was asked in":  claimAnsweredLate,
		"a child that assert refuses ends":                    assertRefused,
		"a child is fed only after the store agreed to it":    fedBeforeAssert,
		"a start under another token waits for the old child": restartedUnderAnotherToken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := play(newStage(t), true); err != nil {
				t.Fatalf("with the guard: %v", err)
			}
			if err := play(newStage(t), false); err == nil {
				t.Fatal("without the guard nothing broke")
			}
		})
	}
}

// TestModelFindsAFlawedRunner shows that the random model sees what the
// simulated runners do wrong, each within its first steps.
func TestModelFindsAFlawedRunner(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]flaws{
		"undying children":       {undying: true},
		"trust beyond the lease": {overtrust: 4 * second},
		"release before the end": {hasty: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := 0
			for seed := range uint64(5) {
				m := modelRun{seed: seed + 1, ops: epoch, alter: func(w *world) error { w.flaws = f; return nil }}
				w := m.run(t)
				if w.err != nil {
					return
				}
				steps += w.ops
			}
			t.Fatalf("nothing was found in %d steps", steps)
		})
	}
}

// TestModelFindsWhatIsNotMended shows that the random model sees what mending is
// for: without it, a hand that tears indexes breaks something soon.
func TestModelFindsWhatIsNotMended(t *testing.T) {
	t.Parallel()
	steps := 0
	for seed := range uint64(5) {
		m := modelRun{seed: seed + 1, ops: 2 * epoch, alter: func(w *world) error { w.noMend = true; return nil }}
		w := m.run(t)
		if w.err != nil {
			t.Logf("found in %d steps: %v", steps+w.ops, w.err)
			return
		}
		steps += w.ops
	}
	t.Fatalf("nothing was found in %d steps", steps)
}

// a's runner dies after a beat; its lease lapses and b gets the slot.
func deadlineOfADeadRunner(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.pass(8*time.Second, b)
	if guarded {
		g.dies(v)
	}
	g.pass(3*time.Second, b)
	return g.elsewhere("s1", b)
}

// a's beat travels for 1.5 s, then a freezes: the lease runs from the beat's
// arrival at most, and a tick may come at once when it is over.
func trustOfAFrozenRunner(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	_, err := g.s.Heartbeat(g.ctx, a)
	g.must(err)
	trust := 10 * time.Second // from the answer, 1.5 s after the arrival
	ends := 1500*time.Millisecond + trust
	if guarded {
		ends = trust - 2*time.Second
	}
	for passed := time.Duration(0); passed < 12*time.Second; passed += 500 * time.Millisecond {
		if passed >= ends {
			g.dies(v)
		}
		if err := g.elsewhere("s1", b); err != nil {
			return err
		}
		g.pass(500*time.Millisecond, b)
	}
	return nil
}

func releaseBeforeTheEnd(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	if guarded {
		g.dies(v)
	}
	g.release(v, a)
	return g.elsewhere("s1", b)
}

// a has ended the child and sent the release, which is under way while a
// compares what it runs with what it should.
func releaseUnderWay(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.dies(v)
	listed, err := g.s.SlotsOf(g.ctx, "a")
	g.must(err)
	if len(listed) != 1 || listed[0].Token != v.Token {
		return errors.New("the slot is not listed")
	}
	if !guarded {
		if err := g.starts(v, a); err != nil {
			return err
		}
	}
	g.release(v, a) // it arrives
	return g.elsewhere("s1", b)
}

// The claim is granted, but a freezes before it reads the answer. It wakes as
// a stranger, registers, and trusts its new lease.
func claimAnsweredLate(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.must(g.s.Claim(g.ctx, v, a.Incarnation))
	g.pass(11*time.Second, b)
	g.runs(g.given("s1", "b"), b)
	if _, err := g.s.Heartbeat(g.ctx, a); !errors.Is(err, store.ErrUnknownHost) {
		return err
	}
	g.must(g.register(a, "id-a", "a-1"))
	if guarded {
		return g.starts(v, a) // claims again
	}
	return g.lives(v)
}

func assertRefused(g *stage, guarded bool) error {
	v, got := cutOffAndBack(g)
	if got.Keep || !guarded {
		return g.lives(v)
	}
	return nil
}

// cutOffAndBack: a kept its child while it was cut off, b has the slot since,
// and a asks. The child counts from the answer on.
func cutOffAndBack(g *stage) (store.Reservation, store.Asserted) {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.must(g.s.Claim(g.ctx, v, a.Incarnation))
	g.pass(11*time.Second, b)
	g.runs(g.given("s1", "b"), b)
	g.must(g.register(a, "id-a", "a-1"))
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}})
	g.must(err)
	return v, got
}

// a's runner is replaced 9 s after its last beat. Its child ends at 10 s of
// trust unless the new life feeds it, and the slot is reaped meanwhile.
func fedBeforeAssert(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.pass(11*time.Second, b) // under keep the child still lives, and is excused
	g.dies(v)
	next := store.Holder{Host: "a", Incarnation: "a-2"}
	g.must(g.register(next, "id-a", "a-1"))
	g.runs(g.given("s1", "b"), b)
	if guarded {
		got, err := g.s.Assert(g.ctx, v, next.Incarnation, store.Copy{Chain: []string{"enc"}})
		g.must(err)
		if !got.Keep {
			return nil
		}
	}
	return g.lives(v) // fed for the new lease, without asking
}

// The slot comes back to a under another token while the old child is in its
// stop grace.
func restartedUnderAnotherToken(g *stage, guarded bool) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.pass(11*time.Second, b) // reaped; under keep the child still lives
	g.must(g.register(a, "id-a", "a-1"))
	w := g.given("s1", "a")
	if guarded {
		g.dies(v)
	}
	return g.starts(w, a)
}
