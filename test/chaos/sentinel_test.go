package chaos

import (
	"context"
	"testing"
	"time"

	"stream-api/internal/realtest"
)

func TestFailoverStopsNothingAndRunsNothingTwice(t *testing.T) {
	t.Parallel()
	for range or(1, 10) {
		t.Run("run", failover)
	}
}

// failover kills the primary while slots are being placed.
func failover(t *testing.T) {
	group := realtest.Sentinels(t, 2*time.Second, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "5")
	n := begin(t, plan{workers: 3, capacity: 20, streams: 10, sentinels: group})
	before, from := n.watch.Alive(), time.Now()
	n.list(20) // writes in flight
	realtest.Await(t, time.Minute, "some of the new slots run", func() bool { return len(n.watch.Alive()) > 12 })
	killed := time.Now()
	group.Primary().Kill()
	n.list(24)
	realtest.Await(t, time.Minute, "the store takes writes again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return n.client.Set(ctx, "test:written", "1", time.Minute).Err() == nil
	})
	outage := time.Since(killed)
	n.awaitLive(24, time.Minute)
	ran := time.Since(killed)
	n.awaitRest(24, time.Minute, "records agree and the hold is over")
	n.hold(ttl + beat)
	n.sameChildren(before)
	if alive := n.watch.Alive(); len(alive) != 24 {
		t.Errorf("%d children for 24 slots", len(alive))
	}
	n.noGaps(from)
	n.noDoubles()
	lasted("primary killed (Sentinel, down-after 2 s) → writes again", outage)
	lasted("primary killed (Sentinel, down-after 2 s) → new streams run", ran)
	n.record("Sentinel failover, keep, 10 of 24 slots on air before", from)
}
