package scheduler

import (
	"fmt"
	"testing"
	"time"

	"stream-api/stream"
)

// lostIndexes is a network of two hosts: a holds q1 and q2 and is full, b has room.
func lostIndexes(t *testing.T) (r *rig, a, b *host) {
	t.Helper()
	r = newRig(t)
	a = r.host("a", offerOf("solo", 2, stream.Class{}))
	b = r.host("b", offerOf("solo", 2, stream.Class{Filter: "^none"}))
	r.run(newFleet(a, b), Options{Upkeep: 200 * time.Millisecond})
	for _, key := range []string{"q1", "q2"} {
		r.add(key, stream.Announcement{Chain: []string{"solo"}})
		r.awaitHost(key, "solo", "a")
	}
	b.register(offerOf("solo", 5, stream.Class{}))
	return r, a, b
}

func (r *rig) hand(args ...any) {
	r.t.Helper()
	if err := r.redis.Client().Do(r.t.Context(), args...).Err(); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
}

// TestSlotsOfADeadHostWhoseRowsAreLostComeUpElsewhere: each index by which the
// reaper would find them.
func TestSlotsOfADeadHostWhoseRowsAreLostComeUpElsewhere(t *testing.T) {
	t.Parallel()
	for name, commands := range map[string][][]any{
		"a row":              {{"ZREM", "slots:a", "solo|q1|solo.1"}},
		"all rows":           {{"DEL", "slots:a"}},
		"its lease":          {{"ZREM", "hosts:lease", "a"}},
		"all leases":         {{"DEL", "hosts:lease"}},
		"rows and lease":     {{"DEL", "slots:a", "hosts:lease"}},
		"rows, lease, lists": {{"DEL", "slots:a", "hosts:lease", "hosts", "streams", "types", "types:wanted", "sources"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a, _ := lostIndexes(t)
			a.die()
			for _, command := range commands {
				r.hand(command...)
			}
			r.awaitHost("q1", "solo", "b")
			r.awaitHost("q2", "solo", "b")
			r.await("a is shown up", func() bool {
				status, err := r.store.Status(t.Context())
				return err == nil && len(status.Hosts) == 2 && status.Hosts[0].State == stream.Down && status.Hosts[0].Services[0].State == stream.Down
			})
		})
	}
}

// TestAQueueThatIsLostIsMadeAnew, with the age of those in it; and so is a slot
// that half a script left waiting in no queue.
func TestAQueueThatIsLostIsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("solo", 1, stream.Class{}))
	r.run(newFleet(a), Options{Upkeep: 200 * time.Millisecond})
	r.add("q1", stream.Announcement{Chain: []string{"solo"}})
	r.awaitHost("q1", "solo", "a")
	for i := range 3 {
		key := fmt.Sprintf("w%d", i)
		r.add(key, stream.Announcement{Chain: []string{"solo"}})
		r.awaitState(key, "solo", stream.Pending)
	}
	line := r.redis.Client().ZRangeWithScores(t.Context(), "pending:solo", 0, -1).Val()
	r.hand("DEL", "pending:solo")
	r.await("the queue is not as it was", func() bool {
		return fmt.Sprint(r.redis.Client().ZRangeWithScores(t.Context(), "pending:solo", 0, -1).Val()) == fmt.Sprint(line)
	})
	r.hand("HSET", "service:solo:a", "capacity", "2")
	r.awaitHost("w0", "solo", "a")
}

// TestAFullHostWhoseRowsAreLostGetsNoMore: what a hand took from slots:<host> is
// no room.
func TestAFullHostWhoseRowsAreLostGetsNoMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("solo", 2, stream.Class{}))
	r.run(newFleet(a), Options{Upkeep: 100 * time.Millisecond})
	for _, key := range []string{"q1", "q2"} {
		r.add(key, stream.Announcement{Chain: []string{"solo"}})
		r.awaitHost(key, "solo", "a")
	}
	r.add("w", stream.Announcement{Chain: []string{"solo"}})
	r.awaitState("w", "solo", stream.Pending)
	for range 5 {
		r.hand("DEL", "slots:a")
		r.await("the rows are not made anew", func() bool { return r.redis.Client().ZCard(t.Context(), "slots:a").Val() == 2 })
	}
	if v := r.instance("w", "solo"); v.State != stream.Pending {
		t.Errorf("w is %s on %q: a host that takes two has three", v.State, v.Host)
	}
	if used := r.redis.Client().HGet(t.Context(), "service:solo:a", "used").Val(); used != "2" {
		t.Errorf("used is %s; want 2", used)
	}
	// What is really less is found to be less.
	r.hand("HSET", "service:solo:a", "used", "7")
	r.await("used is not mended", func() bool { return r.redis.Client().HGet(t.Context(), "service:solo:a", "used").Val() == "2" })
}

// TestALostMarkIsMissed: nobody looks at a stream whose mark a hand took away; the
// next round does.
func TestALostMarkIsMissed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("solo", 5, stream.Class{}))
	r.run(newFleet(a), Options{Upkeep: 200 * time.Millisecond})
	r.add("q1", stream.Announcement{Chain: []string{"solo"}})
	r.awaitHost("q1", "solo", "a")
	// The words are there, as a script left them, and no mark.
	r.hand("HDEL", "announced:manual", "q1")
	r.hand("HSET", "announced:manual", "q2", stream.Announcement{Chain: []string{"solo"}}.Encode())
	r.awaitHost("q2", "solo", "a")
	r.await("q1 runs on", func() bool { return r.instance("q1", "solo").State == "" })
}
