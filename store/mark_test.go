package store_test

import (
	"math"
	"testing"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// odd are the scores that no mark of ours has and ZADD takes all the same.
var odd = map[string]float64{"a fraction": 1.5, "inf": math.Inf(1), "-inf": math.Inf(-1), "negative": -3, "huge": 1e300, "beyond whole numbers": 1 << 60}

// TestAMarkOfAnyScoreIsClearedByTheWantThatAnswersIt: else schedulers look at the
// stream again without an end. A mark that comes meanwhile stays.
func TestAMarkOfAnyScoreIsClearedByTheWantThatAnswersIt(t *testing.T) {
	t.Parallel()
	for name, score := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			g.want("s1")
			g.must(g.client.ZAdd(g.ctx, "dirty", redis.Z{Score: score, Member: "s1"}).Err())
			marks, err := g.s.Dirty(g.ctx, 10)
			g.must(err)
			w := store.Want{Mark: marks[0], Wanted: true, Chain: []string{"enc"}, Fields: map[string]string{"source": "manual"}}
			g.must(g.s.MarkDirty(g.ctx, "s1"))
			answers, err := g.s.Wants(g.ctx, []store.Want{w})
			g.must(err)
			if !answers[0].Stale {
				t.Fatal("a mark that came after the reading is cleared with the one that was read")
			}
			g.must(g.client.ZAdd(g.ctx, "dirty", redis.Z{Score: score, Member: "s1"}).Err())
			wantMarked(t, g.s, "s1", true, "enc")
			if marks, err := g.s.Dirty(g.ctx, 10); err != nil || len(marks) != 0 {
				t.Errorf("the mark stays: %+v, %v", marks, err)
			}
		})
	}
}

// TestALookAskedForBeyondAllTimesIsDueAtOnce: a hand's inf would be a stream that
// is never looked at again.
func TestALookAskedForBeyondAllTimesIsDueAtOnce(t *testing.T) {
	t.Parallel()
	for name, score := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			g.must(g.client.ZAdd(g.ctx, "requeue", redis.Z{Score: score, Member: "s1"}).Err())
			if n, err := g.s.RequeueDue(g.ctx, 10); err != nil || n != 1 {
				t.Errorf("%d marked, %v; want one", n, err)
			}
		})
	}
}
