package chaos

import (
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

func logged(h *realrun.Host, text string) bool { return strings.Contains(h.Log(), text) }

func TestStoreOutageStopsNothing(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 3, capacity: 20, streams: 30, redis: []string{"--appendonly", "yes", "--appendfsync", "always"}})
	before, from := n.watch.Alive(), time.Now()
	n.redis.Stop()
	n.hold(or(12*time.Second, time.Minute))
	n.redis.Start()
	n.hold(ttl + 4*beat)
	n.sameChildren(before)
	n.list(32)
	n.awaitLive(32, time.Minute) // all healthy: new ones are placed
	n.noGaps(from)
	n.noDoubles()
	n.record("Redis stopped, keep, 30 slots", from)
}

func TestNewLifeDuringAnOutageFeedsItsChildren(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 1, capacity: 20, streams: 10, redis: []string{"--appendonly", "yes", "--appendfsync", "always"}})
	before, from := n.watch.Alive(), time.Now()
	n.redis.Stop()
	n.workers[0].Kill()
	n.workers[0].Again()
	n.hold(ttl + 3*beat)
	n.redis.Start()
	n.hold(ttl + 4*beat)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("new incarnation during an outage, keep", from)
}

func TestEmptiedStoreIsToldAgain(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 3, capacity: 20, streams: 12})
	before, from := n.watch.Alive(), time.Now()
	if err := n.redis.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	n.rebuilt(t, "FLUSHALL", 12)
	n.sameChildren(before)

	n.redis.Kill()
	n.redis.Start() // without persistence: empty
	n.rebuilt(t, "Redis restarted empty", 12)
	n.sameChildren(before)
	n.list(15)
	n.awaitLive(15, time.Minute)
	n.noGaps(from)
	n.noDoubles()
	n.record("FLUSHALL; Redis restarted empty", from)
}

// rebuilt waits until the store knows everything again.
func (n *network) rebuilt(t *testing.T, what string, streams int) {
	t.Helper()
	from := time.Now()
	n.awaitRest(streams, 60*time.Second, "the store knows again what runs after "+what)
	took := time.Since(from)
	lasted(what+" → state rebuilt, hold over", took)
	if took > 2*ttl+slack(t) {
		t.Errorf("%s: state rebuilt and hold over after %v; want at most 2 × ttl = %v", what, took, 2*ttl)
	}
}

func TestHostCutOffFromTheStoreNeverRunsTwiceUnderStop(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 8, mode: "stop"})
	lost, from := n.on("w0"), time.Now()
	n.ways[0].Cut()
	n.awaitElsewhere("w0", lost, time.Minute)
	n.hold(2 * ttl)
	n.ways[0].Heal()
	n.hold(ttl)
	n.noDoubles()
	n.list(16)
	n.awaitLive(16, time.Minute)
	realtest.Await(t, time.Minute, "the host that was cut off serves again", func() bool { return len(n.on("w0")) > 0 })
	n.noDoubles()
	n.record("cut off from Redis, stop", from)
}

func TestHostCutOffFromTheStoreRunsTwiceOnlyWhileCutOffUnderKeep(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 60, streams: 8, mode: "keep"})
	from := time.Now()
	n.list(48)
	realtest.Await(t, time.Minute, "w0 is busy with new slots", func() bool { return len(n.on("w0")) > 8 })
	n.ways[0].Cut() // with calls under way
	lost := n.on("w0")
	n.awaitElsewhere("w0", lost, time.Minute)
	n.hold(or(ttl/2, ttl))
	healed := time.Now()
	n.ways[0].Heal()
	n.singleAgain(healed, 48)
	n.record("cut off from Redis, keep (the declared gap)", from)
}

func TestHalfOfTheHostsCutOffAtOnce(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 6, capacity: 10, streams: 12, mode: "stop"})
	from := time.Now()
	for i := range 3 {
		n.ways[i].Cut()
	}
	n.hold(ttl)
	realtest.Await(t, time.Minute, "the other half has it all", func() bool {
		return len(n.on("w3"))+len(n.on("w4"))+len(n.on("w5")) == 12
	})
	for i := range 3 {
		n.ways[i].Heal()
	}
	n.hold(ttl)
	n.noDoubles()
	n.record("half of six hosts cut off at once, stop", from)
}

// Under keep, half of the hosts run on beside those that were given their
// slots: the declared gap, and it ends with the cut.
func TestHalfOfTheHostsCutOffAtOnceUnderKeepEndsWithTheCut(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 6, capacity: 10, streams: 12, mode: "keep"})
	from := time.Now()
	for i := range 3 {
		n.ways[i].Cut()
	}
	realtest.Await(t, time.Minute, "the other half has it all", func() bool {
		return len(n.on("w3"))+len(n.on("w4"))+len(n.on("w5")) == 12
	})
	healed := time.Now()
	for i := range 3 {
		n.ways[i].Heal()
	}
	n.singleAgain(healed, 12)
	n.record("half of six hosts cut off at once, keep (the declared gap)", from)
}

// singleAgain waits until no slot has two children, and fails the test if that
// took more than two beats since the network was whole.
func (n *network) singleAgain(healed time.Time, streams int) {
	n.t.Helper()
	realtest.Await(n.t, time.Minute, "nothing runs twice any more", func() bool { return len(n.watch.Alive()) == streams })
	var last time.Time
	for _, d := range n.watch.Doubles() {
		last = later(last, d.To)
	}
	took := last.Sub(healed)
	lasted("cut off under keep, healed → single again", took)
	if took > 2*beat+slack(n.t) {
		n.t.Errorf("slots ran twice until %v after the cut; want at most %v", took, 2*beat)
	}
	n.hold(ttl)
	if alive := len(n.watch.Alive()); alive != streams {
		n.t.Errorf("%d children for %d slots", alive, streams)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
