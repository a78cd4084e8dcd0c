package scheduler

import (
	"context"
	"sync"
	"time"

	"stream-api/store"
	"stream-api/stream"
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
	var clock storeClock
	epoch, held := "", stream.Reason{}
	return func(ctx context.Context) (time.Duration, error) {
		for {
			r, err := s.tick(ctx, &clock, epoch)
			if err != nil || r.Doubt {
				return 0, err // in doubt nothing was done; the next tick is soon
			}
			if epoch != "" && epoch != r.Epoch {
				s.cmd.Reset() // the store is another one than before
			}
			epoch, held = r.Epoch, s.sayHold(held, r)
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

// doubts is how often a tick is tried at once while the clock may have jumped
// or the calls may have been slow.
const doubts = 5

// tick reaps once. A clock that is not as expected counts as having jumped
// only if no delay on the way can explain it.
func (s *Scheduler) tick(ctx context.Context, clock *storeClock, epoch string) (r store.ReapResult, err error) {
	m := store.ReapMemory{Epoch: epoch, Unsure: true}
	m.TTL, m.Beat = s.leases.get()
	for range doubts {
		sent := time.Now()
		m.Expected = clock.expect(sent)
		if r, err = s.store.Reap(ctx, m); err != nil {
			return r, err
		}
		reading := storeClock{now: r.Now, sent: sent, received: time.Now()}
		switch {
		case !r.Doubt && !m.Unsure:
			*clock = reading // from here on this is its time
			return r, nil
		case !r.Doubt:
			clock.learn(reading)
			return r, nil
		case clock.contradicts(reading):
			m.Unsure = false
		}
	}
	return r, nil
}

// sayHold logs the begin and the end of a hold once each; it returns the
// reason of the one that lasts.
func (s *Scheduler) sayHold(held stream.Reason, r store.ReapResult) stream.Reason {
	switch {
	case r.Held && !held.Is(r.Reason):
		left := time.Duration(r.HeldUntil-r.Now) * time.Millisecond
		s.log.Warn().Stringer("reason", r.Reason).Dur("left", left).Msg("on hold: nothing is taken or given, so that holders can speak first")
		return r.Reason
	case !r.Held && !held.IsZero():
		s.log.Info().Msg("the hold is over")
		s.places.ring()
		s.sends.ring()
		s.moves.ring()
		return stream.Reason{}
	}
	return held
}
