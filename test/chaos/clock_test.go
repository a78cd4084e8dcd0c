package chaos

import (
	"testing"
	"time"

	"stream-api/internal/realtest"
)

func TestStoresClockMayStep(t *testing.T) {
	t.Parallel()
	server, step := realtest.RedisWithClock(t)
	n := begin(t, plan{workers: 3, capacity: 10, streams: 9, server: server})
	before, held, from := n.watch.Alive(), n.reservations(), time.Now()
	streams := 9
	for _, off := range []time.Duration{time.Hour, 0, -time.Hour, -time.Hour + 3*time.Second} {
		step(off)
		shown, err := n.store().Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Until(time.UnixMilli(shown)) - off; d.Abs() > time.Second {
			t.Fatalf("the store's clock is %v off after a step to %v", d, off)
		}
		n.hold(ttl + beat)
		n.sameChildren(before)
		streams++
		n.list(streams)
		n.awaitLive(streams, time.Minute) // whoever was there is placed on
	}
	for key, v := range held {
		if now := n.reservations()[key]; now != v {
			t.Errorf("%s was %v, now is %v", key, v, now)
		}
	}
	n.noGaps(from)
	n.noDoubles()
	n.record("clock of Redis stepped by an hour, back, and by 3 s", from)
}
