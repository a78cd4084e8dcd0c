package scheduler

import (
	"fmt"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// TestDrainMovesSlotsThatDoNotWaitForEachOther: b takes nothing up, so that what
// is on its way stays there to be seen.
func TestDrainMovesSlotsThatDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	needy := func(typ, needs string) store.Offer { return offerOf(typ, 20, stream.Class{Needs: needs}) }
	offers := []store.Offer{
		offerOf("dist", 20, stream.Class{}), needy("transcode", "dist:url"), needy("fanout", "transcode:url"), offerOf("record", 20, stream.Class{}),
	}
	a := r.host("a", offers...)
	a.mu.Lock()
	a.vars["dist"], a.vars["transcode"] = map[string]string{"url": "u"}, map[string]string{"url": "u"}
	a.mu.Unlock()
	f := newFleet(a)
	r.run(f, Options{})
	slots := []string{"dist", "transcode", "fanout", "record"}
	for i := range 3 {
		r.add(fmt.Sprintf("s%d", i), stream.Announcement{Chain: slots})
	}
	for i := range 3 {
		for _, slot := range slots {
			r.awaitState(fmt.Sprintf("s%d", i), slot, stream.Running)
		}
	}
	b := r.host("b", offers...)
	b.mu.Lock()
	b.refuse = true
	b.mu.Unlock()
	f.mu.Lock()
	f.hosts["b"] = b
	f.mu.Unlock()
	if err := r.store.Drain(t.Context(), "a", 0, 5); err != nil {
		t.Fatal(err)
	}
	r.await("five slots are not on their way", func() bool {
		moves, err := r.store.Moves(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		moving := map[string]map[string]bool{}
		for _, m := range moves {
			if moving[m.Key] == nil {
				moving[m.Key] = map[string]bool{}
			}
			moving[m.Key][m.Instance] = true
		}
		for key, on := range moving {
			waiting := 0
			for _, slot := range []string{"dist", "transcode", "fanout"} {
				if on[slot] {
					waiting++
				}
			}
			if waiting > 1 {
				t.Fatalf("of %s are moved at once: %v", key, on)
			}
		}
		if len(moves) > 5 {
			t.Fatalf("%d slots are moved at once", len(moves))
		}
		return len(moves) == 5
	})
}

func TestReachesGoesOverOthersAndIgnoresCircles(t *testing.T) {
	edges := map[string][]string{"fanout": {"transcode"}, "transcode": {"dist"}, "x": {"y"}, "y": {"x"}}
	for _, c := range []struct {
		from, to string
		want     bool
	}{{"fanout", "dist", true}, {"dist", "fanout", false}, {"x", "x", true}, {"x", "dist", false}, {"record", "dist", false}} {
		if got := reaches(edges, c.from, c.to); got != c.want {
			t.Errorf("%s reaches %s: %v", c.from, c.to, got)
		}
	}
}
