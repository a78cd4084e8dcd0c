package scheduler

import (
	"context"
	"sync"
	"time"

	"stream-api/store"
)

// longestLease remembers the longest lease that any host had, so that a hold
// after the store lost its memory is long enough for every holder to speak.
type longestLease struct {
	mu        sync.Mutex
	ttl, beat time.Duration
}

func (l *longestLease) see(ttl, beat time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ttl, l.beat = max(l.ttl, ttl), max(l.beat, beat)
}

func (l *longestLease) get() (ttl, beat time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ttl, l.beat
}

// reaper makes the work of the reap loop, with its memory of the store.
func (s *Scheduler) reaper() func(context.Context) (time.Duration, error) {
	var memory store.ReapMemory
	var at time.Time // when the last reply came
	var last int64   // what the store's clock said then, ms
	held := ""
	return func(ctx context.Context) (time.Duration, error) {
		for {
			if last != 0 {
				memory.Expected = last + time.Since(at).Milliseconds()
			}
			memory.TTL, memory.Beat = s.leases.get()
			r, err := s.store.Reap(ctx, memory)
			if err != nil {
				return 0, err
			}
			if memory.Epoch != "" && memory.Epoch != r.Epoch {
				s.cmd.Reset() // the store is another one than before
			}
			at, last, memory.Epoch = time.Now(), r.Now, r.Epoch
			held = s.sayHold(held, r)
			if r.Taken > 0 {
				s.counts.reaped.Add(uint64(r.Taken))
				s.log.Warn().Int("hosts", r.Lapsed).Int("slots", r.Taken).Msg("slots taken back from hosts whose lease lapsed")
				s.places.ring()
				s.moves.ring()
			}
			if !r.More {
				return 0, nil
			}
		}
	}
}

// sayHold logs the begin and the end of a hold once each; it returns the
// reason of the one that lasts.
func (s *Scheduler) sayHold(held string, r store.ReapResult) string {
	switch {
	case r.Held && held != r.Reason:
		left := time.Duration(r.HeldUntil-r.Now) * time.Millisecond
		s.log.Warn().Str("reason", r.Reason).Dur("left", left).Msg("on hold: nothing is taken or given, so that holders can speak first")
		return r.Reason
	case !r.Held && held != "":
		s.log.Info().Msg("the hold is over")
		s.places.ring()
		s.sends.ring()
		s.moves.ring()
		return ""
	}
	return held
}
