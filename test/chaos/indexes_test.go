package chaos

import (
	"slices"
	"testing"
	"time"
)

// TestIndexesTornByAHandAreMadeAnew: first of hosts that live, at once and whole;
// then what would find the slots of a machine that dies.
func TestIndexesTornByAHandAreMadeAnew(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 3, capacity: 15, streams: 12})
	before, from := n.watch.Alive(), time.Now()
	hand := func(keys ...string) {
		if err := n.client.Del(t.Context(), keys...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"outbox", "hosts:lease", "hosts", "types", "types:wanted", "streams", "sources", "dirty", "requeue", "moves", "missing:src", "draining"}
	for _, family := range []string{"pending:*", "slots:*", "load:*", "classes:*", "announced:*"} {
		keys, err := n.client.Keys(t.Context(), family).Result()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, keys...)
	}
	hand(all...)
	n.hold(25 * time.Second) // two rounds of upkeep
	n.awaitRest(12, time.Minute, "all run in the records")
	n.sameChildren(before)
	n.noGaps(from)

	lost := n.on("w0")
	if len(lost) == 0 {
		t.Fatal("w0 has nothing to lose")
	}
	from = time.Now()
	n.workers[0].KillMachine()
	hand("slots:w0", "hosts:lease")
	n.awaitElsewhere("w0", lost, 90*time.Second)
	lasted("machine dead, its rows and lease deleted → all its slots run elsewhere", time.Since(from))
	n.noDoubles()
	if got := n.client.ZRange(t.Context(), "hosts:lease", 0, -1).Val(); slices.Contains(got, "w0") {
		t.Errorf("the dead host has a lease: %v", got)
	}
	n.record("indexes deleted; machine dead, its rows and lease deleted", from)
}
