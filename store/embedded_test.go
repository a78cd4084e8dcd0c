package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// embeddedStage is a stage on the embedded store, whose Lua is another one.
func embeddedStage(t *testing.T) *stage {
	t.Helper()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2})
	t.Cleanup(func() { _ = client.Close() })
	g := &stage{t: t, ctx: t.Context(), client: client, trees: map[string][]store.Reservation{}, within: true}
	g.c = &clock{t: t, client: client, us: 1_800_000_000_000_000}
	g.c.advance(0)
	var err error
	g.s, err = store.New(client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
	g.must(err)
	return g
}

// TestEveryScriptAnswersOnTheEmbeddedStore, for a slot that runs and for
// nothing at all.
func TestEveryScriptAnswersOnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	g := embeddedStage(t)
	a, v := running(g)
	g.must(g.client.ZAdd(g.ctx, "requeue", redisMember("s1")).Err())
	for _, c := range everyCall(a, v) {
		if err := c.run(g.ctx, g.s); !isAnswer(err) {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	g.empty()
	for _, c := range everyCall(a, v) {
		if err := c.run(g.ctx, g.s); !isAnswer(err) {
			t.Errorf("%s on an empty store: %v", c.script, err)
		}
	}
}

// TestEmbeddedStoreGivesAndTakesBack: one life of a slot, the death of its
// host, an end; the figures agree throughout.
func TestEmbeddedStoreGivesAndTakesBack(t *testing.T) {
	t.Parallel()
	g := embeddedStage(t)
	a, v := running(g)
	b := g.host("b")
	if tokenNumber(v.Token) != g.c.us {
		t.Errorf("token %s, want the digits of %d whole", v.Token, g.c.us)
	}
	_, err := g.s.Publish(g.ctx, v, a.Incarnation, map[string]string{"url": "u"})
	g.must(err)
	g.dies(v)
	g.pass(12*time.Second, b)
	g.runs(g.given("s1", "b"), b)
	if r := g.instance("s1"); r.Host != "b" || g.client.HGet(g.ctx, "stream:s1:enc", "var:url").Val() != "u" {
		t.Fatalf("after the death of a: %+v; want b, and the variables until b has its own", r)
	}
	g.end("s1")
	if r := g.instance("s1"); r.State != stream.Stopping {
		t.Fatalf("after the end: %+v", r)
	}
	if _, err := g.s.Release(g.ctx, g.instance("s1").Reservation, b.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)}); err != nil {
		t.Fatal(err)
	}
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	for _, h := range hosts {
		if h.Services[0].Used != 0 {
			t.Errorf("%s uses %d", h.Host, h.Services[0].Used)
		}
	}
	if keys := g.client.ZCard(g.ctx, "streams").Val(); keys != 0 {
		t.Errorf("%d streams are left", keys)
	}
}

// TestGuardsHoldOnTheEmbeddedStore plays the interleavings of the guards there,
// but for those that need what it does not have: DUMP.
func TestGuardsHoldOnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	for _, v := range guards {
		t.Run(v.name, func(t *testing.T) {
			if needsDump[v.name] {
				t.Skip("the embedded store has no DUMP of hashes")
			}
			if err := v.play(embeddedStage(t)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

var needsDump = map[string]bool{
	"claim waits in a hold": true, "another run id opens a hold": true, "a forgotten script makes the store looked at": true,
	"a hold has every host reconcile": true, "tokens have a nonce": true,
}

// TestEachInterleavingHoldsOnTheEmbeddedStore plays what the guards are for, as the Lua
// of that store is another one.
func TestEachInterleavingHoldsOnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	for _, v := range slices.Concat(guards, mendGuards, poolGuards, apartGuards, sidecarGuards, labelGuards, jobGuards) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if err := v.play(embeddedStage(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
