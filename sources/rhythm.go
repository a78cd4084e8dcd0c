package sources

import (
	"math/rand/v2"
	"time"
)

// minGap is the least time between two polls, however often we are woken:
// 20 a second.
const minGap = 50 * time.Millisecond

// echoes are the polls that follow a wake. An ingest calls its hook before it
// lists the stream, some by a few milliseconds, one that waits for the first
// key frame by half a second; a single poll at once would come too early and
// the stream would wait for the next tick.
var echoes = []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 350 * time.Millisecond, 750 * time.Millisecond}

// rhythm decides when to poll next. It is pure: times go in, a time comes out.
type rhythm struct {
	interval time.Duration
	origin   time.Time // ticks are at origin + n·interval, so that the phase is kept
	started  time.Time // of the last poll
	took     time.Duration
	retry    time.Time   // set after a failure, instead of the tick
	due      time.Time   // when a retraction may be due; zero: none
	follow   []time.Time // what is left to do of a wake, ascending
}

// wake asks for a poll at once, and for its echoes; a new wake replaces the
// echoes of the last one.
func (r *rhythm) wake(now time.Time) {
	r.follow = r.follow[:0]
	for _, after := range echoes {
		if after == 0 || after < r.interval {
			r.follow = append(r.follow, now.Add(after))
		}
	}
}

// begin notes that a poll starts.
func (r *rhythm) begin(now time.Time) {
	r.started, r.retry = now, time.Time{}
	for len(r.follow) > 0 && !r.follow[0].After(now) {
		r.follow = r.follow[1:]
	}
	if !r.due.After(now) {
		r.due = time.Time{}
	}
}

// end notes how long the poll took and, after a failure, when to try again.
func (r *rhythm) end(now, retry time.Time) {
	r.took, r.retry = now.Sub(r.started), retry
}

// next is when the next poll starts.
func (r *rhythm) next(now time.Time) time.Time {
	next := r.retry
	if next.IsZero() {
		ticks := now.Sub(r.origin)/r.interval + 1
		next = r.origin.Add(ticks * r.interval)
	}
	// A slow answer makes the gap longer, so that wakes and retractions never
	// keep an ingest busy more than a third of the time.
	least := r.started.Add(max(minGap, 3*r.took))
	sooner := func(at time.Time) {
		if at.Before(least) {
			at = least
		}
		if at.Before(next) {
			next = at
		}
	}
	if len(r.follow) > 0 {
		sooner(r.follow[0])
	}
	if !r.due.IsZero() {
		sooner(r.due)
	}
	return next
}

// backoff is the wait before try number n+1 after n failures in a row: base,
// doubled each time up to limit, spread by a quarter to both sides.
func backoff(failures int, base, limit time.Duration) time.Duration {
	wait := base
	for range failures - 1 {
		if wait *= 2; wait >= limit {
			break
		}
	}
	wait = min(wait, max(limit, base))
	return wait - wait/4 + rand.N(wait/2+1)
}
