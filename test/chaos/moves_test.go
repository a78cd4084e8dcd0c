package chaos

import (
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// drained empties w0 and gives the time at which that began.
func drained(t *testing.T, handover string) (n *network, from time.Time) {
	t.Helper()
	n = begin(t, plan{workers: 2, capacity: 20, streams: 20, handover: handover})
	if len(n.on("w0")) == 0 {
		t.Fatal("w0 has nothing to hand over")
	}
	from = time.Now()
	if err := n.store().Drain(t.Context(), "w0", 0, 0); err != nil {
		t.Fatal(err)
	}
	realtest.Await(t, 90*time.Second, "w0 is empty and everything runs on w1", func() bool {
		return len(n.on("w0")) == 0 && len(n.on("w1")) == 20
	})
	lasted("drain of 10 slots, "+handover+" → empty", time.Since(from))
	n.awaitRest(20, time.Minute, "the records say so")
	return n, from
}

func TestDrainWithStartFirstLeavesNoGap(t *testing.T) {
	t.Parallel()
	n, from := drained(t, "start_first")
	n.noGaps(from)
	n.record("drain, start_first (two at once is the handover)", from)
	if err := n.store().Cordon(t.Context(), "w0", stream.Up); err != nil {
		t.Fatal(err)
	}
	n.list(22)
	n.awaitLive(22, time.Minute)
	realtest.Await(t, time.Minute, "w0 serves again", func() bool { return len(n.on("w0")) == 2 })
}

func TestDrainWithStopFirstRunsNothingTwice(t *testing.T) {
	t.Parallel()
	n, from := drained(t, "stop_first")
	n.noDoubles()
	gaps := n.watch.Gaps(from, time.Now())
	if len(gaps) == 0 {
		t.Error("no slot had a gap, although each was stopped first")
	}
	for _, a := range gaps {
		at := 0
		for _, b := range gaps {
			if !b.From.After(a.From) && a.From.Before(b.To) {
				at++
			}
		}
		if at > store.AtATime {
			t.Errorf("%d slots had their gaps at once when %v began; a drain moves %d at a time", at, a, store.AtATime)
		}
	}
	n.record("drain, stop_first", from)
}

func TestLoweredCapacityStopsNothing(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 8})
	before, from := n.watch.Alive(), time.Now()
	if _, errOut, code := realrun.Command(t, n.redis.URL(), "services", "set", "work", "w0", "capacity=1"); code != 0 {
		t.Fatalf("services set: exit %d: %s", code, errOut)
	}
	n.hold(5 * time.Second)
	n.sameChildren(before)
	held := len(n.on("w0"))
	s, ok := n.status()
	if !ok {
		t.Fatal("no status")
	}
	for _, h := range s.Hosts {
		for _, v := range h.Services {
			if h.Host == "w0" && (v.Capacity == nil || *v.Capacity != 1 || v.Used != held) {
				t.Errorf("w0 shows %+v; want %d used of 1", v, held)
			}
		}
	}
	n.list(10)
	n.awaitLive(10, time.Minute)
	if now := len(n.on("w0")); now != held {
		t.Errorf("w0 had %d children and has %d: it took more than its capacity", held, now)
	}
	n.noGaps(from)
	n.noDoubles()
	n.record("capacity lowered below use", from)
}
