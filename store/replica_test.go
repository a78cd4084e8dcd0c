package store_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/lua"
	"stream-api/store"
)

// TestClaimCountsOnlyOnceReplicasHaveIt: else a failover could forget a child
// that runs.
func TestClaimCountsOnlyOnceReplicasHaveIt(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(realtest.FreePort(t))
	primary := realtest.Redis(t, "--port", port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	g := &stage{t: t, ctx: t.Context(), client: primary.Client(), trees: map[string][]store.Reservation{}}
	g.c = &clock{t: t, client: g.client, us: 1_800_000_000_000_000}
	g.c.advance(0)
	fresh := func() *store.Store { // a store remembers for a moment how many replicas there are
		s, err := store.New(g.client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
		g.must(err)
		return s
	}
	g.s = fresh()
	a, v := running(g)
	g.must(fresh().Claim(g.ctx, v, a.Incarnation))

	replica := realtest.Redis(t, "--replicaof", "127.0.0.1", port)
	realtest.Await(t, 20*time.Second, "the replica does not follow", func() bool {
		return replica.Client().Get(g.ctx, "test:clock").Val() != "" && g.client.Do(g.ctx, "wait", 1, 100).Val() == int64(1)
	})
	g.must(fresh().Claim(g.ctx, v, a.Incarnation))

	replica.Freeze()
	if err := fresh().Claim(g.ctx, v, a.Incarnation); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("claim while the replica hangs: %v; want ErrNotReplicated", err)
	}
	replica.Thaw()
	realtest.Await(t, 20*time.Second, "the claim never counts again", func() bool {
		err := fresh().Claim(g.ctx, v, a.Incarnation)
		if err != nil && !errors.Is(err, store.ErrNotReplicated) {
			t.Fatal(err)
		}
		return err == nil
	})
}
