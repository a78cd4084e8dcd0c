package scheduler

import (
	"testing"
	"time"
)

func TestDelaysAreNoJumpsOfTheClock(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	base := storeClock{now: 10_000, sent: at(0), received: at(100)}
	for name, tc := range map[string]struct {
		sent, received int
		now            int64
		jumped         bool
	}{
		"a quick call":                   {1000, 1010, 11_000, false},
		"slow on the way there":          {1000, 4000, 13_900, false},
		"slow on the way back":           {1000, 4000, 11_000, false},
		"a jump ahead":                   {1000, 1010, 13_000, true},
		"a jump back":                    {1000, 1010, 9_000, true},
		"a jump ahead in a slow call":    {1000, 2000, 15_000, true},
		"a jump smaller than the slack":  {1000, 1010, 11_400, false},
		"a jump back in a slow call":     {1000, 3000, 9_000, true},
		"suspended while the store went": {1000, 1010, 60_000, true},
	} {
		got := base.contradicts(storeClock{now: tc.now, sent: at(tc.sent), received: at(tc.received)})
		if got != tc.jumped {
			t.Errorf("%s: jumped %v; want %v", name, got, tc.jumped)
		}
	}
}

func TestVagueReadingsAreNotKept(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var c storeClock
	if c.expect(start) != 0 {
		t.Error("a clock that was never read expects something")
	}
	sharp := storeClock{now: 1000, sent: start, received: start.Add(10 * time.Millisecond)}
	c.learn(sharp)
	c.learn(storeClock{now: 3000, sent: start.Add(time.Second), received: start.Add(3 * time.Second)})
	if c != sharp {
		t.Errorf("a vague reading replaced a sharp one: %+v", c)
	}
	next := storeClock{now: 3000, sent: start.Add(2 * time.Second), received: start.Add(2010 * time.Millisecond)}
	c.learn(next)
	if c != next {
		t.Errorf("a sharp reading was not kept: %+v", c)
	}
}
