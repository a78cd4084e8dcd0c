package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// reports tells how the child of an instance is.
func (g *stage) reports(v store.Reservation, h store.Holder, up string, phase stream.Phase) {
	g.t.Helper()
	g.must(g.s.Report(g.ctx, v, h.Incarnation, store.Observation{Fields: map[string]string{"up": up, "phase": string(phase)}}))
}

// gaps are those that were told, as instance=seconds.
func (g *stage) gaps() (out []string) {
	g.t.Helper()
	events, err := g.s.LastEvents(g.ctx, 200)
	g.must(err)
	for _, e := range events {
		if e.Event == "gap" {
			out = append(out, fmt.Sprintf("%s=%s", e.Slot, e.Facts["seconds"]))
		}
	}
	return out
}

func (g *stage) gapsAre(when string, want ...string) {
	g.t.Helper()
	if got := g.gaps(); !slices.Equal(got, want) {
		g.t.Errorf("%s: gaps %v, want %v", when, got, want)
	}
}

func TestGapIsToldWhenASlotThatRanRunsAgain(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.reports(v, a, "", stream.Starting)
	g.pass(3*time.Second, a, b)
	g.reports(v, a, "750", "")
	g.gapsAre("the first start is none")

	// Its child fails, and is started again.
	g.reports(v, a, "1", stream.Failing)
	g.pass(4*time.Second, a, b)
	g.reports(v, a, "1500", "") // it ran 1.5 s ago
	g.gapsAre("started again after 2.5 s", "enc=2.5")
	g.reports(v, a, "2000", "")
	g.gapsAre("told once", "enc=2.5")

	// Restarted by an operator: up is taken back, the phase stays.
	g.reports(v, a, "", "")
	g.pass(time.Second, a, b)
	g.reports(v, a, "1", "")
	g.gapsAre("restarted", "enc=2.5", "enc=1.0")

	// Given back, and run elsewhere.
	g.dies(v)
	g.release(v, a)
	g.pass(2*time.Second, a, b)
	p := g.placeOn("s1", "b")
	g.runs(p.Reservation, b)
	g.reports(p.Reservation, b, "1", "")
	g.gapsAre("moved with a pause", "enc=2.5", "enc=1.0", "enc=2.0")

	// Wanted no more, and again: another session.
	g.end("s1")
	g.dies(p.Reservation)
	g.release(p.Reservation, b)
	g.pass(4*time.Second, a, b)
	g.want("s1")
	v = g.given("s1", "a")
	g.runs(v, a)
	g.reports(v, a, "1", "")
	g.gapsAre("another session", "enc=2.5", "enc=1.0", "enc=2.0")
}

func TestGapOfALostHostBeginsWhenItWasLastHeardOf(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.reports(v, a, "1", "")
	g.pass(6*time.Second, a, b)
	g.pass(14*time.Second, b) // a lapses after ttl, 10 s
	g.dies(v)
	p := g.placeOn("s1", "b")
	if p.Outcome != store.Placed {
		t.Fatalf("not placed: %+v", p)
	}
	g.runs(p.Reservation, b)
	g.reports(p.Reservation, b, "1", "")
	if got := g.gaps(); len(got) != 1 || !slices.Contains([]string{"enc=13.5", "enc=14.0", "enc=14.5", "enc=15.0", "enc=15.5", "enc=16.0"}, got[0]) {
		t.Errorf("gaps %v, want one of the 14 s in which nothing was heard of it, and a beat at most", got)
	}
}

// A host that was only cut off had its child run all the while.
func TestChildThatRanAllTheWhileLeavesNoGap(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.reports(v, a, "1", "")
	g.pass(2*time.Second, a)
	g.pass(14 * time.Second)
	if s := g.instance("s1"); s.State != stream.Pending {
		t.Fatalf("it is %s", s.State)
	}
	g.must(g.register(store.Holder{Host: "a", Incarnation: "a-2"}, "id-a", a.Incarnation))
	a.Incarnation = "a-2"
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Source: "src", Chain: []string{"enc"}})
	if err != nil || !got.Keep {
		t.Fatalf("assert: %+v, %v", got, err)
	}
	g.reports(v, a, "16000", "")
	g.gapsAre("it ran all the while")
}

// A handover whose new instance runs before the old one ends.
func TestHandoverLeavesAGapOnlyIfThereWasOne(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, b, v, next := pair(g)
	g.release(v, a)
	g.c.advance(3 * time.Second)
	g.reports(next, b, "1", "")
	g.gapsAre("the new one ran already")

	g = newStage(t)
	a, b, v, next = pair(g)
	g.reports(next, b, "", stream.Unready) // its output went away again
	g.release(v, a)
	g.c.advance(3 * time.Second)
	g.reports(next, b, "1", "")
	g.gapsAre("the old one ended first", "enc=3.0")
}
