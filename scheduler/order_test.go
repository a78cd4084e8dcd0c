package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// TestPendingIsServedByPriorityThenAge races three schedulers while capacity
// appears bit by bit in two classes, and reads from the event feed in which
// order the slots that compete for the same seats were served.
func TestPendingIsServedByPriorityThenAge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	left, right := stream.Class{Filter: "^left"}, stream.Class{Filter: "^right"}
	r.host("l", offerOf("record", 0, left))
	r.host("r", offerOf("record", 0, right))
	for i := range 3 {
		r.run(newFleet(), Options{ID: fmt.Sprintf("sched%d", i)})
	}
	const n = 120
	random := rand.New(rand.NewPCG(1, 2))
	rank := map[string]int{} // key → its place among all, by priority then age
	var keys []string
	priority := map[string]int{}
	for i := range n {
		key := fmt.Sprintf("%s%d", []string{"left", "right"}[random.IntN(2)], i)
		priority[key] = random.IntN(4) * 100
		keys = append(keys, key)
		r.add(key, stream.Announcement{Chain: []string{"record"}, Priority: priority[key]})
		r.awaitState(key, "record", stream.Pending) // so that ages differ as the names do
	}
	slices.SortStableFunc(keys, func(a, b string) int { return priority[b] - priority[a] })
	for i, key := range keys {
		rank[key] = i
	}
	placed := func() []string {
		events, err := r.store.LastEvents(t.Context(), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range events {
			if e.Event == "placed" {
				out = append(out, e.Stream)
			}
		}
		return out
	}
	for capacity := 1; capacity <= n; capacity += 1 + random.IntN(9) {
		for _, host := range []string{"l", "r"} {
			if err := r.store.SetCapacity(t.Context(), "record", host, &capacity); err != nil {
				t.Fatal(err)
			}
		}
		fits := func(key string) bool { return rankAmong(keys, key) < capacity }
		r.await(fmt.Sprintf("%d seats in each class are not taken", capacity), func() bool {
			done := placed()
			for _, key := range keys {
				if fits(key) && !slices.Contains(done, key) {
					return false
				}
			}
			return true
		})
	}
	last := map[byte]int{}
	for _, key := range placed() {
		if before, ok := last[key[0]]; ok && rank[key] < before {
			t.Errorf("%s (priority %d) was served after a slot that comes after it", key, priority[key])
		}
		last[key[0]] = rank[key]
	}
}

// rankAmong is the place of key among those of its class.
func rankAmong(keys []string, key string) int {
	n := 0
	for _, k := range keys {
		if k == key {
			return n
		}
		if k[0] == key[0] {
			n++
		}
	}
	return n
}

func TestOlderSlotIsNotOvertakenWhileItsHostsFill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 1, stream.Class{}))
	r.run(newFleet(a), Options{})
	r.add("first", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("first", "record", stream.Running)
	r.add("low", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("low", "record", stream.Pending)
	r.add("high", stream.Announcement{Chain: []string{"record"}, Priority: 10})
	r.awaitState("high", "record", stream.Pending)
	if _, err := r.store.Retract(t.Context(), store.ManualSource, "first"); err != nil {
		t.Fatal(err)
	}
	r.awaitState("high", "record", stream.Running)
	if v := r.instance("low", "record"); v.State != stream.Pending {
		t.Errorf("low is %s; want pending", v.State)
	}
}
