package scheduler

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// TestWhatCannotBeReadEndsNothing: an announcement, a list of them or a record's
// chain that a hand broke. The slots run on, the stream says why, and so does an
// event.
func TestWhatCannotBeReadEndsNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	shorter := stream.Announcement{Chain: []string{"dist"}}
	for name, harm := range map[string]func(r *rig, c redis.UniversalClient) error{
		"announcement": func(_ *rig, c redis.UniversalClient) error {
			return c.HSet(ctx, "announced:manual", "s1", `{"chain":["dist","rec`).Err()
		},
		"announcement with a slot twice": func(_ *rig, c redis.UniversalClient) error {
			return c.HSet(ctx, "announced:manual", "s1", `{"chain":["dist","dist"]}`).Err()
		},
		"announcement and the record's chain": func(_ *rig, c redis.UniversalClient) error {
			c.HSet(ctx, "stream:s1", "chain", `["dist","rec`)
			return c.HSet(ctx, "announced:manual", "s1", `nonsense`).Err()
		},
		"announcement, while another source says less": func(r *rig, c redis.UniversalClient) error {
			if _, err := r.store.Announce(ctx, store.Poll{
				Source: "other", Poller: "p", Upsert: map[string]string{"s1": shorter.Encode()},
				GoneAfter: time.Hour, Info: store.SourceInfo{URL: "http://other", Type: "icecast"},
			}); err != nil {
				return err
			}
			return c.HSet(ctx, "announced:manual", "s1", `nonsense`).Err()
		},
		"announced is a string": func(_ *rig, c redis.UniversalClient) error {
			return c.Set(ctx, "announced:manual", "x", 0).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			a := r.host("a", offerOf("record", 5, stream.Class{}), offerOf("dist", 5, stream.Class{}))
			r.run(newFleet(a), Options{})
			r.add("s1", stream.Announcement{Chain: []string{"dist", "record"}})
			token := r.awaitState("s1", "record", stream.Running).Token
			r.awaitState("s1", "dist", stream.Running)
			if err := harm(r, r.redis.Client()); err != nil {
				t.Fatal(err)
			}
			if err := r.store.MarkDirty(ctx, "s1"); err != nil {
				t.Fatal(err)
			}
			var told stream.StreamStatus
			r.await("the stream does not say what is wrong", func() bool {
				var err error
				told, err = r.store.StreamStatus(ctx, "s1")
				return err == nil && strings.Contains(told.Reason, "source manual:")
			})
			for _, slot := range told.Slots {
				if slot.State != stream.Running {
					t.Errorf("%s is %s: %s", slot.Slot, slot.State, slot.Reason)
				}
			}
			if v := r.instance("s1", "record"); v.Token != token {
				t.Errorf("record has token %s, had %s", v.Token, token)
			}
			if !slices.Equal(told.Chain, []string{"dist", "record"}) && !slices.Equal(told.Chain, shorter.Chain) {
				t.Errorf("the record's chain reads %q", told.Chain)
			}
			events, err := r.store.LastEvents(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(events, func(e store.Event) bool { return e.Event == "nonsense" && strings.Contains(e.Reason, "manual") }) {
				t.Errorf("no event tells of it")
			}
		})
	}
}

// TestAnOlderFileEndsNothingInTheHoldAfterALoss: FLUSHALL, the holder asserts,
// and the first poller that speaks has a file without the slot.
func TestAnOlderFileEndsNothingInTheHoldAfterALoss(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRig(t)
	offers := []store.Offer{offerOf("record", 5, stream.Class{}), offerOf("dist", 5, stream.Class{})}
	a := r.host("a", offers...)
	r.run(newFleet(a), Options{})
	newer, older := stream.Announcement{Chain: []string{"dist", "record"}}, stream.Announcement{Chain: []string{"dist"}}
	r.announce("newer", newer)
	v := r.awaitState("s1", "record", stream.Running).Reservation
	r.awaitState("s1", "dist", stream.Running)

	if err := r.redis.Client().FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	a.register(offers...)
	if got, err := r.store.Assert(ctx, v, a.id.Incarnation, store.Copy{Source: "src", Announcement: newer.Encode(), Chain: newer.Chain}); err != nil || !got.Keep {
		t.Fatalf("assert: %+v, %v", got, err)
	}
	r.announce("older", older)
	// Its word stands, so the slot ends; but not before the others could speak.
	r.await("the slot does not end though the word stands", func() bool {
		row := r.redis.Client().HGetAll(ctx, "reaper").Val()
		events, err := r.store.LastEvents(ctx, 100)
		if err != nil {
			return false
		}
		at := slices.IndexFunc(events, func(e store.Event) bool { return e.Event == "stopping" && e.Slot == "record" })
		if at < 0 {
			return false
		}
		until, err := strconv.ParseInt(row["until"], 10, 64)
		if err != nil {
			t.Fatalf("no hold was opened: %v", row)
		}
		ms, _, _ := strings.Cut(events[at].ID, "-")
		if ended, err := strconv.ParseInt(ms, 10, 64); err != nil || ended < until {
			t.Errorf("the slot was ended at %s (%v), before the end of the hold at %d", ms, err, until)
		}
		return true
	})
}

// TestStreamsAddedByHandAreNotAwayAfterALoss: failures of their children count.
func TestStreamsAddedByHandAreNotAwayAfterALoss(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRig(t)
	offer := offerOf("record", 5, stream.Class{})
	a := r.host("a", offer)
	r.run(newFleet(a), Options{})
	said := stream.Announcement{Chain: []string{"record"}}
	r.add("s1", said)
	v := r.awaitState("s1", "record", stream.Running).Reservation
	if err := r.redis.Client().FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	a.register(offer)
	if got, err := r.store.Assert(ctx, v, a.id.Incarnation, store.Copy{Source: store.ManualSource, Announcement: said.Encode(), Chain: said.Chain}); err != nil || !got.Keep {
		t.Fatalf("assert: %+v, %v", got, err)
	}
	r.await("nobody looks at the stream", func() bool { return r.redis.Client().ZCard(ctx, "dirty").Val() == 0 })
	rec, err := r.store.Record(ctx, "s1")
	if err != nil || rec.Away || rec.LeadOf("record").Token != v.Token {
		t.Errorf("record %+v, %v; want it running and not away", rec, err)
	}
	sources, err := r.store.Sources(ctx)
	if err != nil || len(sources) != 1 || sources[0].State != stream.SourceGood || sources[0].LastGood == 0 {
		t.Errorf("sources %+v, %v; want manual, good", sources, err)
	}
}

// announce is what a poller says of s1 under the source src, all over again
// where another spoke meanwhile.
func (r *rig) announce(poller string, a stream.Announcement) {
	r.t.Helper()
	r.await(poller+" is not heard", func() bool {
		set, err := r.store.Announced(context.Background(), "src")
		if err != nil {
			r.t.Fatal(err)
		}
		got, err := r.store.Announce(context.Background(), store.Poll{
			Source: "src", Poller: poller, Version: set.Version, Upsert: map[string]string{"s1": a.Encode()},
			GoneAfter: time.Hour, Info: store.SourceInfo{URL: "http://src", Type: "icecast"},
		})
		if err != nil {
			r.t.Fatal(err)
		}
		return !got.Stale
	})
}
