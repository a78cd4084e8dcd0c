package web

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

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
		if n := readsIn(time.Minute); n < 3 || n > 5 {
			t.Errorf("%d reads a minute of a store that takes %v; want a %dth of the time", n, slow, duty)
		}
	})
}

// largeStore has n streams that never change.
type largeStore struct{ streams []stream.StreamStatus }

func newLargeStore(n int) *largeStore {
	s := &largeStore{}
	for i := range n {
		s.streams = append(s.streams, stream.StreamStatus{Key: fmt.Sprintf("s%06d", i)})
	}
	return s
}

func (s *largeStore) Overview(context.Context) (stream.Status, error) {
	return stream.Status{At: 1}, nil
}

func (s *largeStore) StreamKeys(context.Context) ([]string, error) {
	keys := make([]string, 0, len(s.streams))
	for _, v := range s.streams {
		keys = append(keys, v.Key)
	}
	return keys, nil
}

func (s *largeStore) StatusOf(_ context.Context, keys []string) ([]stream.StreamStatus, error) {
	out := make([]stream.StreamStatus, 0, len(keys))
	for _, key := range keys {
		if i := sort.Search(len(s.streams), func(i int) bool { return s.streams[i].Key >= key }); i < len(s.streams) && s.streams[i].Key == key {
			out = append(out, s.streams[i])
		}
	}
	return out, nil
}

func TestFindingWhatIsGoneCostsAsMuchAsTheStreams(t *testing.T) {
	t.Parallel()
	// The processor time of this thread: of a busy machine it says nothing.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spent := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			t.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	// took is the quickest of a few looks at as many streams as before.
	took := func(n int) time.Duration {
		b := newBoard(newLargeStore(n), nil, newHub())
		pic, err := b.readAll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := b.store.StreamKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		best := time.Duration(math.MaxInt64)
		for range 5 {
			started := spent()
			if got := withGone(slices.Clone(keys), pic.streams); len(got) != n {
				t.Fatalf("%d of %d streams are to be read", len(got), n)
			}
			best = min(best, spent()-started)
		}
		return best
	}
	// 20 times the streams: some 30 times the work, as memory is slower than a
	// cache; 400 times if each were compared with each. A busy machine may need a
	// second look, as others take the cache.
	var ratio float64
	for range 5 {
		if ratio = float64(took(30_000)) / float64(took(1500)); ratio < 150 {
			return
		}
	}
	t.Errorf("20 times the streams take %.0f times as long", ratio)
}

func TestWhoeverJoinsIsGivenTheSamePicture(t *testing.T) {
	t.Parallel()
	s := newLargeStore(100)
	b := newBoard(s, nil, newHub())
	defer b.hub.end()
	join := func() *byte {
		_, f, err := b.join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return &f.plain[0]
	}
	first := join()
	if join() != first {
		t.Error("the picture was encoded once more for a second page")
	}
	b.touch("s000001")
	s.streams[1].Reason = "another"
	b.refresh(t.Context())
	_, f, err := b.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if &f.plain[0] == first || !bytes.Contains(f.plain, []byte("another")) {
		t.Error("a page that joins after a change is given the picture of before it")
	}
}

func TestAStreamThatIsGoneLeavesThePicture(t *testing.T) {
	t.Parallel()
	s := newLargeStore(3)
	b := newBoard(s, nil, newHub())
	if _, err := b.readAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.streams = s.streams[1:]
	pic, err := b.readAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(pic.streams)); !slices.Equal(got, []string{"s000001", "s000002"}) {
		t.Errorf("a whole read after s000000 went: %v", got)
	}
	s.streams = s.streams[1:]
	b.listed = time.Time{}
	if err := b.readChanged(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(b.picture().streams)); !slices.Equal(got, []string{"s000002"}) {
		t.Errorf("a read of changes after s000001 went unseen: %v", got)
	}
}
