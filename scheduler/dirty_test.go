package scheduler

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// TestAMarkWithAFractionIsOneLook: ZADD dirty 1.5 x, by hand. It was looked at for
// ever, by each busy scheduler at once.
func TestAMarkWithAFractionIsOneLook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host("a", offerOf("record", 5, stream.Class{}))
	s := New(newStore(t, r.redis, "sched"), newFleet(), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	for _, score := range []float64{1.5, 1e300} {
		for _, key := range []string{"s1", "nobody", "|junk|"} {
			if err := r.redis.Client().ZAdd(t.Context(), "dirty", redis.Z{Score: score, Member: key}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := s.reconcile(ctx)
		cancel()
		if err != nil {
			t.Fatalf("reconciling marks of %v does not end: %v", score, err)
		}
		if n := r.redis.Client().ZCard(t.Context(), "dirty").Val(); n != 0 {
			t.Errorf("%d marks of %v stay", n, score)
		}
	}
	if got := r.instance("s1", "record"); got.State != stream.Pending {
		t.Errorf("s1 is %q; want it wanted", got.State)
	}
}
