package store_test

import (
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

func TestUnsureReapDoubtsAndDoesNothing(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	settle(t, s, c)
	c.advance(700 * time.Millisecond)
	r, err := s.Reap(t.Context(), store.ReapMemory{})
	if err != nil || r.Held {
		t.Fatalf("reap: %+v, %v", r, err)
	}
	c.advance(2 * time.Second) // but the caller thinks it was 500 ms
	m := store.ReapMemory{Expected: r.Now + 500, Epoch: r.Epoch, Unsure: true}
	tick := c.client.HGet(t.Context(), "reaper", "tick").Val()
	if r, err = s.Reap(t.Context(), m); err != nil || !r.Doubt {
		t.Fatalf("reap of a caller that is not sure: %+v, %v; want doubt", r, err)
	}
	if now := c.client.HGet(t.Context(), "reaper", "tick").Val(); now != tick {
		t.Errorf("a doubtful tick moved the reaper's mark from %s to %s", tick, now)
	}
	m.Unsure = false
	if r, err = s.Reap(t.Context(), m); err != nil || !r.Held || r.Reason.Code != stream.CodeClockJumped {
		t.Fatalf("reap of a caller that is sure: %+v, %v; want a hold", r, err)
	}
}
