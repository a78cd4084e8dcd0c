package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// sided registers hosts that take one enc each and rec, wants of s1 a packager, enc, with
// a sidecar, side, of the type rec, and gives the packager to the first host.
func (g *stage) sided(change func(*store.Registration), names ...string) map[string]store.Holder {
	g.t.Helper()
	g.open()
	hosts := map[string]store.Holder{}
	for _, name := range names {
		h := store.Holder{Host: name, Incarnation: name + "-1"}
		r := store.Registration{
			Holder: h, HostID: "id-" + name, TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "test",
			Offers: []store.Offer{{Type: "enc", Capacity: limit(2)}, {Type: "rec", Capacity: limit(1)}},
		}
		if change != nil {
			change(&r)
		}
		_, err := g.s.Register(g.ctx, r)
		g.must(err)
		hosts[name] = h
	}
	g.wantSided(stream.Items{"side": {Type: "rec", With: "enc"}})
	return hosts
}

func (g *stage) wantSided(items stream.Items) store.Commands {
	g.t.Helper()
	a := stream.Announcement{Chain: []string{"enc", "side"}, Items: items.Canonical()}
	g.must(a.Check())
	g.must(g.s.AddStream(g.ctx, "s1", a))
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	c, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Chain: a.Chain, Items: a.Items, Fields: map[string]string{"source": store.ManualSource}})
	g.must(err)
	return c
}

// lookAgain is what schedulers do when the stream is marked.
func (g *stage) lookAgain() store.Commands {
	g.t.Helper()
	return g.wantSided(stream.Items{"side": {Type: "rec", With: "enc"}})
}

func (g *stage) asks(instance, kind, host string) store.Placement {
	g.t.Helper()
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: instance, Type: kind, Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: host}}}})
	g.must(err)
	return got[0]
}

func (g *stage) record(name string) store.InstanceRecord {
	g.t.Helper()
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	return r.Instances[name]
}

func (g *stage) offered(kind, host string) store.ServiceRecord {
	g.t.Helper()
	hosts, err := g.s.HostsNamed(g.ctx, []string{host})
	g.must(err)
	for _, v := range hosts[0].Services {
		if v.Type == kind {
			return v
		}
	}
	return store.ServiceRecord{}
}

// A sidecar goes where its target is and nowhere else, though its service is full
// there, and counts nowhere.
func TestASidecarGoesWhereItsTargetIsWithoutASeat(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	hosts := g.sided(nil, "a", "b")
	if got := g.asks("side.1", "rec", ""); got.Outcome != store.Full {
		t.Fatalf("without a target it was given to %q", got.Host)
	}
	want(t, g.s, "s2", "rec")
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s2", Instance: "rec.1", Type: "rec", Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: "b"}}}})
	g.must(err)
	if got[0].Host != "b" {
		t.Fatal("b's only seat was not given")
	}
	one := g.asks("enc.1", "enc", "b")
	side := g.asks("side.1", "rec", "")
	if side.Host != "b" || side.Outcome != store.Placed {
		t.Fatalf("the sidecar of what is on b: %+v", side)
	}
	g.up(one.Reservation, hosts["b"])
	g.up(side.Reservation, hosts["b"])
	g.balanced("a sidecar runs")
	if v := g.offered("rec", "b"); v.Used != 1 || v.Sidecars != 1 {
		t.Errorf("rec on b says %d used and %d sidecars; want 1, 1", v.Used, v.Sidecars)
	}
	// It is not moved and not pinned, and to give it up helps nobody.
	var no *store.MoveError
	if _, err := g.s.Move(g.ctx, "s1", "side", "a", 0); !errors.As(err, &no) || !no.Refused() || !strings.Contains(err.Error(), "move enc") {
		t.Errorf("moved: %v", err)
	}
	if _, _, err := g.s.Pin(g.ctx, "s1", "side", "a", 0); !errors.As(err, &no) || !no.Refused() {
		t.Errorf("pinned: %v", err)
	}
	give := store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Minute, OnlyIfRoom: true, Classes: []string{stream.Class{}.ID()}}
	if got, err := g.s.Release(g.ctx, side.Reservation, hosts["b"].Incarnation, give); err != nil || got != store.Stays {
		t.Errorf("given up: %v, %v", got, err)
	}
	// With the host both are taken back.
	g.pass(11*time.Second, hosts["a"])
	g.balanced("its host died")
	if one, side := g.record("enc.1"), g.record("side.1"); one.State != stream.Pending || side.State != stream.Pending {
		t.Errorf("after the death of b: %s, %s", one.State, side.State)
	}
	g.asks("enc.1", "enc", "")
	if got := g.asks("side.1", "rec", ""); got.Host != "a" {
		t.Errorf("it did not follow: %+v", got)
	}
	g.balanced("both are on a")
}

// When the target runs elsewhere the sidecar is stopped in the look that follows, by its
// own handover, and never in a hold.
func TestASidecarFollowsItsTarget(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		g := newStage(t)
		hosts := g.sided(func(r *store.Registration) {
			if first {
				r.Offers[1].Handover = stream.StartFirst
			}
		}, "a", "b")
		one := g.asks("enc.1", "enc", "a")
		side := g.asks("side.1", "rec", "")
		g.up(one.Reservation, hosts["a"])
		g.up(side.Reservation, hosts["a"])
		if c := g.lookAgain(); len(c.Updates) != 0 || g.record("side.1").Move != "" {
			t.Fatalf("where its target is it is told %+v", c)
		}
		m, err := g.s.Move(g.ctx, "s1", "enc", "b", time.Minute)
		g.must(err)
		g.must(g.s.Succeed(g.ctx, m))
		two := g.asks("enc.2", "enc", "b")
		g.up(two.Reservation, hosts["b"])
		if g.lookAgain(); g.record("side.1").Move != "" {
			t.Fatal("it follows one that does not lead yet")
		}
		_, err = g.s.Lead(g.ctx, one.Reservation, two.Token)
		g.must(err)
		g.marked("s1") // somebody looks, now that the target has moved
		c := g.lookAgain()
		moves, err := g.s.Moves(g.ctx)
		g.must(err)
		if first {
			if len(moves) != 1 || moves[0].Instance != "side.1" || moves[0].Target != "b" || g.record("side.1").Move != "" {
				t.Fatalf("with start_first: %+v", moves)
			}
			g.must(g.s.Succeed(g.ctx, moves[0]))
			next := g.asks("side.2", "rec", "")
			if next.Host != "b" {
				t.Fatalf("its successor: %+v", next)
			}
			g.up(next.Reservation, hosts["b"])
			_, err = g.s.Lead(g.ctx, side.Reservation, next.Token)
			g.must(err)
			g.release(side.Reservation, hosts["a"])
		} else {
			if len(moves) != 0 || len(c.Updates) == 0 || g.record("side.1").Move != "b" {
				t.Fatalf("with stop_first: %+v, %+v", moves, c)
			}
			g.release(side.Reservation, hosts["a"])
			if got := g.asks("side.1", "rec", ""); got.Host != "b" {
				t.Fatalf("it did not follow: %+v", got)
			}
		}
		g.release(one.Reservation, hosts["a"])
		g.balanced("followed")
		if v := g.offered("rec", "a"); v.Used != 0 || v.Sidecars != 0 {
			t.Errorf("a has %d and %d of rec", v.Used, v.Sidecars)
		}
	}
}

// What a sidecar takes of a pool is taken with its target, before it runs.
func TestTheTargetTakesOfThePoolsWhatItsSidecarsUse(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	hosts := g.sided(func(r *store.Registration) {
		r.Pools = stream.Amounts{"cpu": 3000}
		r.Offers = []store.Offer{{Type: "enc", Uses: stream.Amounts{"cpu": 1000}}, {Type: "rec", Uses: stream.Amounts{"cpu": 2000}}}
	}, "a")
	one := g.asks("enc.1", "enc", "")
	want(t, g.s, "s2", "enc")
	other := store.Request{Key: "s2", Instance: "enc.1", Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}
	if got, err := g.s.Place(g.ctx, []store.Request{other}); err != nil || got[0].Outcome != store.Full {
		t.Fatalf("what is booked for a sidecar was given away: %+v, %v", got, err)
	}
	g.balanced("booked")
	g.up(one.Reservation, hosts["a"])
	side := g.asks("side.1", "rec", "")
	if side.Host != "a" {
		t.Fatalf("booked, and not given: %+v", side)
	}
	g.balanced("taken")
	g.up(side.Reservation, hosts["a"])
	// Once its target is gone nothing is kept for it.
	g.release(one.Reservation, hosts["a"])
	g.release(side.Reservation, hosts["a"])
	if rows := g.client.ZCard(g.ctx, "slots:a").Val(); rows != 0 {
		t.Errorf("%d rows are left: %v", rows, g.client.ZRange(g.ctx, "slots:a", 0, -1).Val())
	}
	g.balanced("all is given back")
	// Nor once it is wanted no more.
	one = g.asks("enc.1", "enc", "")
	side = g.asks("side.1", "rec", "")
	g.up(one.Reservation, hosts["a"])
	g.up(side.Reservation, hosts["a"])
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	_, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1")})
	g.must(err)
	g.release(side.Reservation, hosts["a"])
	g.balanced("the sidecar is gone")
	g.release(one.Reservation, hosts["a"])
	g.balanced("both are gone")
	g.lookAgain()
	// Nothing of the rest is refused for a sidecar that has no room.
	got, err := g.s.Place(g.ctx, []store.Request{other})
	g.must(err)
	if got[0].Host != "a" || g.asks("enc.1", "enc", "").Host != "a" {
		t.Error("a target was refused for its sidecar")
	}
	if got := g.asks("side.1", "rec", ""); got.Outcome != store.Full {
		t.Errorf("a sidecar was given what the pool has not: %+v", got)
	}
	g.balanced("a sidecar waits")
}

// A slot that runs becomes a sidecar and is one no more: its seat comes and goes.
func TestASlotBecomesASidecarAndAgainNone(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	hosts := g.sided(nil, "a", "b")
	plain := stream.Items{"side": {Type: "rec"}}
	g.wantSided(plain)
	one, side := g.asks("enc.1", "enc", "a"), g.asks("side.1", "rec", "b")
	g.up(one.Reservation, hosts["a"])
	g.up(side.Reservation, hosts["b"])
	if g.lookAgain(); g.record("side.1").Move != "a" || g.offered("rec", "b").Used != 0 {
		t.Errorf("beside enc on a from now on: %+v, %+v", g.record("side.1"), g.offered("rec", "b"))
	}
	g.balanced("a sidecar now")
	g.wantSided(plain)
	if v := g.offered("rec", "b"); v.Used != 1 || v.Sidecars != 0 {
		t.Errorf("a slot again: %+v", v)
	}
	g.balanced("a slot again")
}

// besideMoved has a target move while its sidecar runs, and looks at the stream.
func besideMoved(g *stage) error {
	hosts := g.sided(nil, "a", "b")
	one := g.asks("enc.1", "enc", "a")
	side := g.asks("side.1", "rec", "")
	g.up(one.Reservation, hosts["a"])
	g.up(side.Reservation, hosts["a"])
	g.release(one.Reservation, hosts["a"])
	g.asks("enc.1", "enc", "b")
	g.lookAgain()
	if v := g.record("side.1"); v.Move == "" {
		return fmt.Errorf("I9: the sidecar runs on %s and is to stay, its target is on b", v.Host)
	}
	return nil
}

// besideNobody asks for a place for a sidecar whose target has none.
func besideNobody(g *stage) error {
	g.sided(nil, "a", "b")
	if got := g.asks("side.1", "rec", ""); got.Outcome == store.Placed {
		return fmt.Errorf("I9: a sidecar is on %s without its target", got.Host)
	}
	return nil
}

// bookedForAnother asks for the room that is booked for a sidecar.
func bookedForAnother(g *stage) error {
	g.sided(func(r *store.Registration) {
		r.Pools = stream.Amounts{"cpu": 3000}
		r.Offers = []store.Offer{{Type: "enc", Uses: stream.Amounts{"cpu": 1000}}, {Type: "rec", Uses: stream.Amounts{"cpu": 2000}}}
	}, "a")
	g.asks("enc.1", "enc", "")
	want(g.t, g.s, "s2", "enc")
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s2", Instance: "enc.1", Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
	g.must(err)
	if got[0].Outcome == store.Placed {
		return errors.New("what the target pays for its sidecar was given to another")
	}
	return nil
}

// sidecarGuards keep sidecars where their targets are.
var sidecarGuards = []guard{
	{"a sidecar follows its target", []cut{{"want", "elseif host ~= v.s[2] then leave(v, w, host) end", "end"}}, besideMoved},
	{"a sidecar is given to its target's host alone", []cut{{"place", "if s[8] then best = alongside() else choose(s[7]) end", "choose(s[7])"}}, besideNobody},
	{"a target pays for its sidecars", []cut{{"place", "if s[9] and book(key, s[9], s[10], best)", "if false"}}, bookedForAnother},
}
