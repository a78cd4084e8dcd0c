package store

import (
	"context"
	"time"

	"stream-api/stream"
)

// ReapMemory is what a scheduler remembers from tick to tick, so that a store
// that is not what it was is noticed. The zero value remembers nothing.
type ReapMemory struct {
	// Expected is the server's time in milliseconds as the scheduler
	// reckons it now: the last reply plus its own elapsed time. 0: unknown.
	Expected int64
	// Unsure has a clock that is not as Expected answered with Doubt instead
	// of a hold: a call that was slow on its way looks just like it.
	Unsure bool
	Epoch  string // of the data, from the last reply
	// TTL and Beat are the longest lease it knows of.
	TTL, Beat time.Duration
}

// ReapResult is one tick's outcome.
type ReapResult struct {
	// Doubt: nothing was done, because the clock is not as expected.
	Doubt bool
	Now   int64 // server milliseconds
	Epoch string
	// Held: nothing is taken or given until HeldUntil (server ms).
	Held      bool
	HeldUntil int64
	Reason    stream.Reason
	Lapsed    int  // hosts whose lease is over
	Taken     int  // slots taken back
	More      bool // call again at once
}

// ReapBudget is how many slots one tick takes back: 100 block the server for
// some 2 ms.
const ReapBudget = 100

// Reap takes back the slots of hosts whose lease lapsed, ReapBudget at a time,
// unless the store has to be held.
func (s *Store) Reap(ctx context.Context, m ReapMemory) (ReapResult, error) {
	var expected any = ""
	if m.Expected != 0 {
		expected = m.Expected
	}
	ttl, beat := max(m.TTL, s.ttl), max(m.Beat, s.beat)
	r, err := s.call(ctx, "reap", nonce(), expected, m.Epoch, ttl.Milliseconds(), beat.Milliseconds(), ReapBudget, bit(m.Unsure))
	if err != nil {
		return ReapResult{}, err
	}
	out := ReapResult{Now: r.num(1), Epoch: r.str(2)}
	switch r.status() {
	case "doubt":
		out.Doubt = true
	case "hold":
		out.Held, out.HeldUntil, out.Reason = true, r.num(3), r.reason(4)
	case "ok":
		out.Lapsed, out.Taken, out.More = int(r.num(3)), int(r.num(4)), r.num(5) == 1
	default:
		return ReapResult{}, r.unexpected("reap")
	}
	return out, nil
}
