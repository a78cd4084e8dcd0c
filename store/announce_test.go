package store_test

import (
	"errors"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// poll is a good poll that lists keys, told as the sources tell it.
func (g *stage) poll(poller string, lastGood int64, keys ...string) store.PollResult {
	g.t.Helper()
	set, err := g.s.Announced(g.ctx, "src")
	g.must(err)
	p := store.Poll{Source: "src", Poller: poller, Version: set.Version, Upsert: map[string]string{}, LastGood: lastGood,
		GoneAfter: 10 * time.Second, Info: store.SourceInfo{Type: "icecast", URL: "http://x"}}
	text := stream.Announcement{Chain: []string{"enc"}}.Encode()
	listed := map[string]bool{}
	for _, key := range keys {
		listed[key] = true
		if set.Entries[key] != text {
			p.Upsert[key] = text
		}
		if _, missing := set.Missing[key]; missing {
			p.Back = append(p.Back, key)
		}
	}
	for key := range set.Entries {
		if !listed[key] {
			p.Absent = append(p.Absent, key)
		}
	}
	r, err := g.s.Announce(g.ctx, p)
	g.must(err)
	if r.Stale {
		g.t.Fatal("told that the set has changed, which it has not")
	}
	return r
}

func TestGoneNeedsTwoGoodPollsAndTheTime(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	good := g.poll("p", 0, "s1").Now
	g.c.advance(time.Second)
	if r := g.poll("p", good); len(r.Gone) != 0 || r.NextGone != 9*time.Second {
		t.Fatalf("first poll without it: %+v; want nothing gone, 9 s left", r)
	}
	g.c.advance(8999 * time.Millisecond)
	if r := g.poll("p", good); len(r.Gone) != 0 || r.NextGone != time.Millisecond {
		t.Fatalf("a millisecond too early: %+v", r)
	}
	g.c.advance(time.Millisecond)
	if r := g.poll("p", good); len(r.Gone) != 1 {
		t.Fatalf("not gone in time: %+v", r)
	}
	if set, err := g.s.Announced(g.ctx, "src"); err != nil || len(set.Entries)+len(set.Missing) != 0 {
		t.Fatalf("still announced: %+v, %v", set, err)
	}
}

// TestGoneNeedsTwoPollsEvenAfterALongSilence: time alone is not enough.
func TestGoneNeedsTwoPollsEvenAfterALongSilence(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	good := g.poll("p", 0, "s1").Now
	g.must(g.s.SourceFailed(g.ctx, "src", store.SourceInfo{Type: "icecast", URL: "http://x"}, "p", "refused", time.Second))
	g.c.advance(time.Hour)
	if r := g.poll("p", good); len(r.Gone) != 0 {
		t.Fatalf("gone by one poll: %+v", r)
	}
	g.c.advance(time.Second)
	if r := g.poll("p", good); len(r.Gone) != 1 {
		t.Fatalf("not gone by the second: %+v", r)
	}
}

// TestGoneCountsFromTheLastListingOfAnyPoller, not of the one that tells.
func TestGoneCountsFromTheLastListingOfAnyPoller(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	first := g.poll("p1", 0, "s1").Now
	g.c.advance(9 * time.Second)
	g.poll("p2", 0, "s1")
	g.c.advance(2 * time.Second)
	if r := g.poll("p1", first); r.NextGone != 8*time.Second {
		t.Fatalf("left %v, want 8 s: the other poller listed it 2 s ago", r.NextGone)
	}
}

func TestBackInTimeIsNotGone(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	good := g.poll("p", 0, "s1").Now
	g.c.advance(5 * time.Second)
	g.poll("p", good)
	marks, err := g.s.Dirty(g.ctx, 9)
	if err != nil || len(marks) != 1 {
		t.Fatalf("dirty when missing: %+v, %v", marks, err)
	}
	g.c.advance(4 * time.Second)
	if r := g.poll("p", good, "s1"); len(r.Changed) != 1 {
		t.Fatalf("back: %+v", r)
	}
	g.c.advance(20 * time.Second)
	if r := g.poll("p", good, "s1"); len(r.Gone) != 0 {
		t.Fatalf("gone though listed: %+v", r)
	}
}

// TestADifferenceAgainstAnotherVersionIsNotApplied.
func TestADifferenceAgainstAnotherVersionIsNotApplied(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	before := g.poll("p1", 0, "s1")
	g.c.advance(time.Second)
	g.poll("p2", 0, "s1", "s2")
	r, err := g.s.Announce(g.ctx, store.Poll{Source: "src", Poller: "p1", Version: before.Version, Absent: []string{"s1"},
		GoneAfter: time.Nanosecond, Info: store.SourceInfo{Type: "icecast", URL: "http://x"}})
	if err != nil || !r.Stale {
		t.Fatalf("%+v, %v; want stale", r, err)
	}
	if set, err := g.s.Announced(g.ctx, "src"); err != nil || len(set.Entries) != 2 || len(set.Missing) != 0 {
		t.Fatalf("%+v, %v; want both, none missing", set, err)
	}
}

func TestAnotherIngestUnderTheSameNameIsRefused(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.poll("p1", 0, "s1")
	other := store.Poll{Source: "src", Poller: "p2", GoneAfter: time.Second, Info: store.SourceInfo{Type: "srs", URL: "http://y"}}
	_, err := g.s.Announce(g.ctx, other)
	var taken *store.SourceTakenError
	if !errors.As(err, &taken) || taken.Poller != "p1" {
		t.Fatalf("announce: %v", err)
	}
	g.c.advance(16 * time.Second) // the first is not polled any more
	if _, err := g.s.Announce(g.ctx, other); err != nil {
		t.Fatalf("announce of the successor: %v", err)
	}
}

// TestAThousandAnnouncementsComeInChunks and mark every stream.
func TestAThousandAnnouncementsComeInChunks(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	var keys []string
	for i := range 1234 {
		keys = append(keys, "s"+string(rune('a'+i%26))+time.Duration(i).String())
	}
	g.poll("p", 0, keys...)
	set, err := g.s.Announced(g.ctx, "src")
	g.must(err)
	marks, err := g.s.Dirty(g.ctx, 5000)
	g.must(err)
	if len(set.Entries) != len(keys) || len(marks) != len(keys) {
		t.Fatalf("%d announced, %d marked; want %d", len(set.Entries), len(marks), len(keys))
	}
}
