package store_test

import (
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// relayed wants relay of s1 on some hosts, and dep beside it, which waits for all it says.
func (g *stage) relayed(hosts ...string) store.Commands {
	g.t.Helper()
	a := stream.Announcement{Chain: []string{"relay", "dep"}, Items: stream.Items{
		"relay": {Type: "enc", Each: stream.EachHost}, "dep": {Type: "enc", Vars: map[string]string{"all": "${relay*:url}"}},
	}}
	g.must(g.s.AddStream(g.ctx, "s1", a))
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	c, err := g.s.Want(g.ctx, store.Want{
		Mark: g.marked("s1"), Wanted: true, Chain: a.Chain, Items: a.Items, Fields: map[string]string{"source": store.ManualSource},
		Each: map[string]store.EachHosts{"relay": {Have: hosts}},
	})
	g.must(err)
	return c
}

// relay has the relay of a host run.
func (g *stage) relay(h store.Holder) store.Reservation {
	g.t.Helper()
	p := g.copyOn("relay@"+h.Host, h.Host)
	if p.Outcome != store.Placed || p.Host != h.Host {
		g.t.Fatalf("relay of %s: %+v", h.Host, p)
	}
	g.up(p.Reservation, h)
	return p.Reservation
}

func (g *stage) relaySays(v store.Reservation, h store.Holder, url string) []store.Reservation {
	g.t.Helper()
	told, err := g.s.Publish(g.ctx, v, h.Incarnation, map[string]string{"url": url})
	g.must(err)
	return told
}

func (g *stage) list() string {
	g.t.Helper()
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	list, _ := r.List("relay", "url")
	return list
}

func (g *stage) mayStart() bool {
	g.t.Helper()
	n := stream.Need{Slot: "relay", Var: "url", All: true}
	c, err := g.s.Circumstances(g.ctx, []store.Waiting{{Key: "s1", Instance: "dep.1", Type: "enc"}}, nil)
	g.must(err)
	return c[0].Published[n]
}

// A list grows when one comes, shrinks when one is wanted no more, and never by a death; who
// uses it waits for all that have a place, for 5 s after the first.
func TestAListNeverShrinksByADeath(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b, c := g.host("a"), g.host("b"), g.host("c")
	g.relayed("a", "b", "c")
	onA, onB := g.relay(a), g.relay(b)
	if g.mayStart() {
		t.Error("it may start and nobody said anything")
	}
	g.relaySays(onB, b, "B")
	if g.mayStart() {
		t.Error("it may start and a, which has a place, said nothing yet")
	}
	now, err := g.s.Now(g.ctx) // the server's own, which is not the test's
	g.must(err)
	g.must(g.client.HSet(g.ctx, "stream:s1:relay", "said", now-5000).Err())
	if !g.mayStart() {
		t.Error("it waits still, 5 s after the first")
	}
	g.relaySays(onA, a, "A")
	if got := g.list(); got != "A B" || !g.mayStart() {
		t.Errorf("list %q, may start %v", got, g.mayStart())
	}
	dep, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: "dep.1", Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
	g.must(err)
	at := map[string]store.Holder{"a": a, "b": b, "c": c}[dep[0].Host]
	g.must(g.s.Claim(g.ctx, dep[0].Reservation, at.Incarnation))
	tells := func(what string, told []store.Reservation) {
		t.Helper()
		if len(told) != 1 || told[0].Instance != "dep.1" {
			t.Errorf("%s: told are %+v; want dep.1", what, told)
		}
	}
	onC := g.relay(c)
	tells("one comes that does not lead", g.relaySays(onC, c, "C"))
	if got := g.list(); got != "A B C" {
		t.Errorf("list %q", got)
	}
	g.release(onB, b)
	if got := g.list(); got != "A B C" {
		t.Errorf("after a death: list %q", got)
	}
	onB = g.relay(b)
	if got := g.list(); got != "A B C" {
		t.Errorf("before it said something again: list %q", got)
	}
	tells("it says another thing", g.relaySays(onB, b, "B2"))
	if got := g.list(); got != "A B2 C" {
		t.Errorf("list %q", got)
	}
	cmds := g.relayed("a", "c")
	if len(cmds.Stops) != 1 || cmds.Stops[0].Instance != "relay@b" {
		t.Errorf("stops %+v", cmds.Stops)
	}
	tells("one is withdrawn", cmds.Updates)
	if got := g.list(); got != "A C" {
		t.Errorf("one that is wanted no more: list %q", got)
	}
	g.balanced("one is withdrawn")
}
