package store_test

import (
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

func (g *stage) service(field string) string {
	g.t.Helper()
	return g.client.HGet(g.ctx, "service:enc:a", field).Val()
}

func (g *stage) reindex(host string) {
	g.t.Helper()
	_, err := g.s.Reindex(g.ctx, host, nil)
	g.must(err)
}

// A host's new file has the service no more, while it still runs something: it
// gets nothing new, whatever looks at it, and is forgotten with what it held.
func TestAWithdrawnServiceOnlyEndsWhatItHas(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.want("s1")
	g.want("s2")
	v := g.given("s1", "a")
	g.runs(v, a)
	next := store.Holder{Host: "a", Incarnation: "a-2"}
	_, err := g.s.Register(g.ctx, store.Registration{
		Holder: next, HostID: "id-a", Replaces: "a-1", TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "test",
		Offers: []store.Offer{{Type: "dec"}},
	})
	g.must(err)
	for _, then := range []func(){
		func() {},
		func() { g.reindex("a") },
		func() { g.must(g.s.Cordon(g.ctx, "a", stream.Cordoned)); g.must(g.s.Cordon(g.ctx, "a", stream.Up)) },
		func() { g.must(g.register(next, "id-a", "")) }, // the file has it again
	} {
		then()
		if g.service("withdrawn") == "" {
			break
		}
		if state := g.service("state"); state != "down" || g.placeOn("s2", "").Outcome == store.Placed {
			t.Fatalf("a service that is not offered is %s and takes slots", state)
		}
	}
	g.given("s2", "a")

	_, err = g.s.Register(g.ctx, store.Registration{
		Holder: next, HostID: "id-a", TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "test", Offers: []store.Offer{{Type: "dec"}},
	})
	g.must(err)
	for _, key := range []string{"s1", "s2"} {
		g.end(key)
	}
	g.dies(v)
	g.release(v, next)
	g.reindex("a")
	if n := g.client.Exists(g.ctx, "service:enc:a").Val(); n != 0 {
		t.Error("it is kept although it holds nothing")
	}
	if names := g.client.HGet(g.ctx, "host:a", "services").Val(); names != "dec" {
		t.Errorf("the host's services are %q; want dec alone", names)
	}
}

func TestAFilterSetByHandHoldsOverARegistration(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.host("a")
	g.must(g.client.HSet(g.ctx, "service:enc:a", "filter", "^only$").Err())
	g.reindex("a")
	class := stream.Class{Filter: "^only$"}.ID()
	g.must(g.register(store.Holder{Host: "a", Incarnation: "a-2"}, "id-a", "a-1"))
	if got := g.service("class"); got != class || g.service("filter") != "^only$" {
		t.Errorf("after registering: class %s, filter %s; want those of the hand", got, g.service("filter"))
	}
	g.want("s1")
	if p := g.placeOn("s1", ""); p.Outcome == store.Placed {
		t.Errorf("placed against the filter: %+v", p)
	}
}

// What could not be claimed in a hold is not taken back for having been late.
func TestAHoldIsNoTimeInWhichAStartIsLate(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.pass(2*time.Second, a)
	g.want("s1")
	g.given("s1", "a")
	g.away(8 * time.Second)
	g.must(g.client.Set(g.ctx, "test:run_id", "another", 0).Err())
	for g.tick().Held {
		g.pass(500*time.Millisecond, a)
	}
	const limit = 20 * time.Second
	overdue := func() bool {
		t.Helper()
		due, _, err := g.s.Outbox(g.ctx, time.Second, limit, 10)
		g.must(err)
		return len(due) == 1 && due[0].Overdue
	}
	if overdue() {
		t.Error("overdue at the end of the hold")
	}
	g.pass(limit+2*time.Second, a)
	if !overdue() {
		t.Error("never overdue")
	}
}
