package web

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stream-api/stream"
)

// slowStore is a store without streams whose overview takes its time.
type slowStore struct {
	took  atomic.Int64 // ns
	reads atomic.Int64
}

func (s *slowStore) Overview(context.Context) (stream.Status, error) {
	time.Sleep(time.Duration(s.took.Load()))
	return stream.Status{At: s.reads.Add(1)}, nil
}

func (s *slowStore) StreamKeys(context.Context) ([]string, error) { return nil, nil }

func (s *slowStore) StatusOf(context.Context, []string) ([]stream.StreamStatus, error) {
	return nil, nil
}

func TestASlowStoreIsSparedAndASlowMomentIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quick, slow = time.Millisecond, 300 * time.Millisecond
		s := &slowStore{}
		s.took.Store(int64(quick))
		b := newBoard(s, nil, newHub())
		w, err := b.hub.join()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range w.frames { // one that lags is cut off
			}
		}()
		defer b.hub.end()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.run(ctx)
		// readsIn counts the reads while something changes all the time.
		readsIn := func(long time.Duration) int64 {
			before := s.reads.Load()
			for range long / (50 * time.Millisecond) {
				b.touch("")
				time.Sleep(50 * time.Millisecond)
			}
			synctest.Wait()
			return s.reads.Load() - before
		}
		if n := readsIn(5 * time.Second); n < 15 {
			t.Errorf("%d reads in 5 s; want one after each gap of %v", n, minGap)
		}
		s.took.Store(int64(slow))
		for before := s.reads.Load(); s.reads.Load() == before; {
			b.touch("")
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
		}
		s.took.Store(int64(quick))
		if n := readsIn(2 * time.Second); n < 5 {
			t.Errorf("%d reads in 2 s after one slow read; want one after each gap of %v", n, minGap)
		}
		s.took.Store(int64(slow))
		readsIn(20 * time.Second)
		if n := readsIn(time.Minute); n < 8 || n > 10 {
			t.Errorf("%d reads a minute of a store that takes %v; want a %dth of the time", n, slow, duty)
		}
	})
}
