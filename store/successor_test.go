package store_test

import (
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// successor puts one of s1 in line and places it on the host.
func (g *stage) successor(host string) store.Reservation {
	g.t.Helper()
	m, err := g.s.Move(g.ctx, "s1", "enc", host, 0)
	g.must(err)
	g.must(g.s.Shadow(g.ctx, m))
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Slot: "enc~next", Type: "enc", Only: host, Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
	g.must(err)
	if got[0].Outcome != store.Placed {
		g.t.Fatalf("no place on %s: %+v", host, got[0])
	}
	return got[0].Reservation
}

// orphan is a successor placed on the host, whose slot a gave back meanwhile.
func (g *stage) orphan(host string) store.Reservation {
	g.t.Helper()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	next := g.successor(host)
	g.dies(v)
	g.release(v, a)
	return next
}

// The holder leaves between the placing of its successor and the claim: who
// claims first has the slot, and nobody else.
func TestASuccessorThatIsClaimedTakesTheSlotOfAHolderThatLeft(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*stage){
		"in line":        func(*stage) {},
		"given to other": func(g *stage) { g.given("s1", "c") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			b, _ := g.host("b"), g.host("c")
			next := g.orphan("b")
			between(g)
			g.must(g.s.Claim(g.ctx, next, b.Incarnation))
			s := g.slot("s1")
			if s.State != stream.Running || s.Host != "b" || s.Token != next.Token {
				t.Errorf("the slot is %s on %s under %s; want it to be its successor's", s.State, s.Host, s.Token)
			}
			r, err := g.s.Record(g.ctx, "s1")
			g.must(err)
			if n := r.Slots["enc~next"]; n.State != "" {
				t.Errorf("a successor is left: %+v", n)
			}
			if p := g.place("s1"); p.Outcome == store.Placed {
				t.Errorf("and placed again on %s", p.Host)
			}
			if used := g.client.HGet(g.ctx, "service:enc:c", "used").Val(); used != "0" {
				t.Errorf("c counts %s used", used)
			}
			if due, _, err := g.s.Outbox(g.ctx, 0, 0, 10); err != nil || len(due) != 0 {
				t.Errorf("starts to be sent: %+v, %v", due, err)
			}
		})
	}
}

func TestASuccessorOfWhatRunsElsewhereIsNotClaimed(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	b, c := g.host("b"), g.host("c")
	next := g.orphan("b")
	g.runs(g.given("s1", "c"), c)
	if err := g.s.Claim(g.ctx, next, b.Incarnation); err == nil {
		t.Error("claimed beside the one that runs")
	}
}
