package store_test

import (
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// Several slots leave a host at once: each is asked only if it will find room
// beside those that are on their way, so that none is stopped for a seat that
// another takes.
func TestNoTwoSlotsAreAskedToLeaveForOneFreePlace(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	for _, key := range []string{"s1", "s2"} {
		g.want(key)
		g.runs(g.given(key, "a"), a)
	}
	b := g.host("b")
	g.want("s3")
	g.runs(g.given("s3", "b"), b) // b has one seat left
	g.must(g.s.Drain(g.ctx, "a", 0, 2))
	classes := []string{stream.Class{}.ID()}
	wish := map[string]store.Move{}
	for _, key := range []string{"s1", "s2"} {
		m, err := g.s.MoveForDrain(g.ctx, key, "enc", 0, 2, nil)
		g.must(err)
		wish[key] = m
	}
	evicts := func(key string, want store.Eviction) {
		t.Helper()
		got, err := g.s.Evict(g.ctx, wish[key], false, classes)
		g.must(err)
		if got != want {
			t.Fatalf("evicting %s: %v; want %v", key, got, want)
		}
	}
	evicts("s1", store.Asked)
	evicts("s2", store.Wait)
	evicts("s1", store.Asked) // asked twice
	g.dies(wish["s1"].Reservation)
	g.release(wish["s1"].Reservation, a)
	evicts("s2", store.Wait) // s1 waits for its place
	g.runs(g.given("s1", "b"), b)
	evicts("s2", store.Stay)
	g.host("c")
	evicts("s2", store.Asked)
}

func TestADrainHasAsManyWishesAsItMayAndNoneBesideASlotThatMustBeApart(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, two := g.host("a"), 2
	_, err := g.s.Register(g.ctx, store.Registration{
		Holder: a, HostID: "id-a", TTL: 10_000_000_000, Beat: 2_000_000_000, Version: "test",
		Offers: []store.Offer{{Type: "enc"}, {Type: "dist"}},
	})
	g.must(err)
	run := func(key, slot string) {
		t.Helper()
		got, err := g.s.Place(g.ctx, []store.Request{{Key: key, Instance: slot + ".1", Type: slot, Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
		g.must(err)
		g.must(g.s.Claim(g.ctx, got[0].Reservation, a.Incarnation))
	}
	for _, key := range []string{"s1", "s2", "s3"} {
		want(t, g.s, key, "dist", "enc")
		run(key, "dist")
		run(key, "enc")
	}
	for _, c := range []struct {
		key, slot string
		apart     []string
		ok        bool
	}{
		{"s1", "dist", []string{"enc.1"}, true},
		{"s1", "enc", []string{"dist.1"}, false}, // dist is on its way
		{"s1", "dist", nil, false},               // itself
		{"s2", "enc", []string{"dist.1"}, true},
		{"s3", "dist", []string{"enc.1"}, false}, // two are on their way
	} {
		if _, err := g.s.MoveForDrain(g.ctx, c.key, c.slot, 0, two, c.apart); (err == nil) != c.ok {
			t.Errorf("move of %s %s: %v; want it taken: %v", c.key, c.slot, err, c.ok)
		}
	}
}
