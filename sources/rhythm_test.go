package sources

import (
	"reflect"
	"testing"
	"time"
)

func TestRhythm(t *testing.T) {
	t.Parallel()
	origin := time.Unix(1000, 0)
	at := func(ms int) time.Time { return origin.Add(time.Duration(ms) * time.Millisecond) }
	fresh := func() *rhythm { return &rhythm{interval: time.Second, origin: origin} }
	polled := func(r *rhythm, begin, end int) { r.begin(at(begin)); r.end(at(end), time.Time{}) }
	expect := func(what string, r *rhythm, now, want int) {
		t.Helper()
		if got := r.next(at(now)); !got.Equal(at(want)) {
			t.Errorf("%s: next poll at %v, want %d ms", what, got.Sub(origin), want)
		}
	}

	r := fresh()
	polled(r, 0, 200)
	expect("the phase is kept", r, 200, 1000)
	polled(r, 1003, 1100)
	expect("a late poll does not shift the phase", r, 1100, 2000)
	polled(r, 2000, 4500)
	expect("missed ticks are not made up for", r, 4500, 5000)

	r = fresh()
	polled(r, 0, 5)
	r.wake(at(500))
	expect("a wake polls at once", r, 500, 500)
	r = fresh()
	polled(r, 0, 5)
	r.wake(at(20))
	expect("wakes are 50 ms apart at least", r, 20, 50)
	r = fresh()
	polled(r, 0, 100)
	r.wake(at(110))
	expect("a slow ingest is asked a third of the time", r, 110, 300)
	r = fresh()
	polled(r, 0, 2900)
	r.wake(at(2900))
	expect("but never later than its tick", r, 2900, 3000)

	r = fresh()
	r.begin(at(0))
	r.end(at(10), at(4000))
	expect("after a failure the backoff replaces the tick", r, 10, 4000)
	r.wake(at(600))
	expect("and a wake still polls", r, 600, 600)
	polled(r, 600, 610)
	expect("whereupon the echoes follow", r, 610, 650)

	r = fresh()
	polled(r, 0, 5)
	r.due = at(400)
	expect("a retraction that is due polls", r, 5, 400)
	polled(r, 400, 405)
	expect("once", r, 405, 1000)
}

// However often a hook is called, polls stay 50 ms apart; the last call is
// followed by echoes, and then it is quiet.
func TestWakesAreRateLimitedAndEchoed(t *testing.T) {
	t.Parallel()
	origin := time.Unix(1000, 0)
	r := &rhythm{interval: 10 * time.Second, origin: origin}
	r.begin(origin)
	r.end(origin, time.Time{})
	var polls []int
	for ms := range 5000 {
		now := origin.Add(time.Duration(ms) * time.Millisecond)
		if ms >= 1000 && ms < 2000 {
			r.wake(now)
		}
		if next := r.next(now); !next.After(now) {
			polls = append(polls, ms)
			r.begin(now)
			r.end(now, time.Time{})
		}
	}
	if during := polls[:len(polls)-4]; len(during) != 21 || during[0] != 1000 {
		t.Errorf("%d polls in the second of 1,000 wakes, from %d ms; want 21 from 1000", len(during), during[0])
	}
	if tail := polls[len(polls)-4:]; !reflect.DeepEqual(tail, []int{2050, 2149, 2349, 2749}) {
		t.Errorf("echoes at %v", tail)
	}
}

func TestBackoffGrowsToItsLimitWithJitter(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 5000: 10 * time.Second} {
		seen := map[time.Duration]bool{}
		for range 100 {
			got := backoff(failures, time.Second, 10*time.Second)
			if got < want*3/4 || got > want*5/4 {
				t.Fatalf("after %d failures: %v, want %v ± a quarter", failures, got, want)
			}
			seen[got] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d failures: no jitter", failures)
		}
	}
	if got := backoff(1, time.Minute, 10*time.Second); got < 45*time.Second {
		t.Errorf("a source polled each minute is asked after %v when it fails", got)
	}
}

func TestStallIsSeenAfterItsTimeAndThreePolls(t *testing.T) {
	t.Parallel()
	w := stallWatch{after: 15 * time.Second}
	start := time.Unix(1000, 0)
	see := func(seconds int, bytes map[string]int64, want ...string) {
		t.Helper()
		if got := w.observe(start.Add(time.Duration(seconds)*time.Second), bytes, nil); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("after %d s: %q, want %q", seconds, got, want)
		}
	}
	see(0, map[string]int64{"s1": 0, "s2": 5})
	see(20, map[string]int64{"s1": 0, "s2": 6}) // long, but only one poll
	see(21, map[string]int64{"s1": 0, "s2": 6})
	see(22, map[string]int64{"s1": 0, "s2": 6}, "s1")
	see(23, map[string]int64{"s1": 1, "s2": 6})
	see(36, map[string]int64{"s1": 1, "s2": 6}, "s2")
	see(37, map[string]int64{"s1": 1})
	see(39, map[string]int64{"s1": 1, "s2": 6}, "s1") // s2 was away: a new start
}
