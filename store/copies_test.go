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

// copies wants enc of s1 so many times.
func (g *stage) copies(n int, apart string) store.Commands {
	g.t.Helper()
	a := stream.Announcement{Chain: []string{"enc"}, Items: stream.Items{"enc": {Copies: n, Apart: apart}}.Canonical()}
	g.must(g.s.AddStream(g.ctx, "s1", a))
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	c, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Chain: a.Chain, Items: a.Items, Fields: map[string]string{"source": store.ManualSource}})
	g.must(err)
	return c
}

func (g *stage) ofEnc() []store.InstanceRecord {
	g.t.Helper()
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	return r.Of("enc")
}

// copyOn places an instance of enc, on one host or any.
func (g *stage) copyOn(instance, host string) store.Placement {
	g.t.Helper()
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: instance, Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: host}}}})
	g.must(err)
	return got[0]
}

func (g *stage) up(v store.Reservation, h store.Holder) {
	g.t.Helper()
	g.must(g.s.Claim(g.ctx, v, h.Incarnation))
	g.must(g.s.Report(g.ctx, v, h.Incarnation, store.Observation{Fields: map[string]string{"up": "1", "phase": ""}}))
}

func TestASlotHasAsManyCopiesAsItsChainSays(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	hosts := []store.Holder{g.host("a"), g.host("b"), g.host("c")}
	g.copies(3, "")
	for i, v := range g.ofEnc() {
		if want := fmt.Sprintf("enc.%d", i+1); v.Instance != want || v.Copy != i+1 || v.State != stream.Pending {
			t.Errorf("copy %d is %+v; want %s", i+1, v, want)
		}
	}
	// Second copies stand behind all first ones, however late those come.
	want(t, g.s, "s2", "enc")
	waiting, err := g.s.Pending(g.ctx, "enc", 0, 10)
	g.must(err)
	var line []string
	for _, w := range waiting {
		line = append(line, w.Key+"/"+w.Instance)
	}
	if got := strings.Join(line, " "); got != "s1/enc.1 s2/enc.1 s1/enc.2 s1/enc.3" {
		t.Errorf("in line: %s", got)
	}
	// The first that runs leads, and one that is to be less is one that waits.
	for i, name := range []string{"enc.3", "enc.2"} {
		p := g.copyOn(name, hosts[i].Host)
		g.up(p.Reservation, hosts[i])
	}
	g.balanced("two of three run")
	if c := g.copies(2, ""); len(c.Stops) != 0 {
		t.Errorf("stops %+v though a copy waits", c.Stops)
	}
	got := g.ofEnc()
	if len(got) != 2 || got[0].Instance != "enc.2" || got[0].Copy != 2 || got[1].Instance != "enc.3" || got[1].Copy != 1 {
		t.Fatalf("left are %+v; want enc.2, and enc.3 as copy 1", got)
	}
	// Then it is one that does not lead.
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	lead := r.Slots["enc"].Lead
	c := g.copies(1, "")
	if len(c.Stops) != 1 || c.Stops[0].Instance == lead {
		t.Errorf("stops %+v; want the one that does not lead, which is %s", c.Stops, lead)
	}
	g.balanced("one is to run")
	// More: the name of one that stops still is not used again.
	g.copies(2, "")
	if got := g.ofEnc(); len(got) != 2 {
		t.Errorf("%+v; want no third while the second stops", got)
	}
	for _, h := range hosts {
		g.release(c.Stops[0], h)
	}
	g.copies(2, "")
	if got := g.ofEnc(); len(got) != 2 || got[1].Instance != "enc.4" {
		t.Errorf("%+v; want enc.4 beside %s", got, lead)
	}
	g.balanced("two again")
}

// One copy too many that runs goes on while not all that stay do, for a minute.
func TestACopyTooManyWaitsForThoseThatStay(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.copies(3, "")
	one, two, three := g.copyOn("enc.1", "a"), g.copyOn("enc.2", "b"), g.copyOn("enc.3", "a")
	g.up(one.Reservation, a)
	g.up(two.Reservation, b)
	_ = three // given, and not claimed yet
	if c := g.copies(1, ""); len(c.Stops) != 1 {
		t.Errorf("with one that stays and runs: stops %+v", c.Stops)
	}

	g = newStage(t).open()
	a, b = g.host("a"), g.host("b")
	g.copies(2, "")
	one, two = g.copyOn("enc.1", "a"), g.copyOn("enc.2", "b")
	g.up(one.Reservation, a)
	g.up(two.Reservation, b)
	g.must(g.s.Report(g.ctx, one.Reservation, a.Incarnation, store.Observation{Fields: map[string]string{"phase": string(stream.Failing)}}))
	g.copies(1, "")
	g.balanced("one of two fails")
	for _, v := range g.ofEnc() {
		if v.Instance == "enc.2" && v.State != stream.Running {
			t.Errorf("the one that is ready is %s", v.State)
		}
	}
	g.pass(61*time.Second, a, b)
	g.copies(1, "")
	g.balanced("a minute later")
}

func TestAStandByLeadsInTheStepInWhichTheLeadIsTakenBack(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.copies(2, stream.ApartHost)
	one := g.copyOn("enc.1", "")
	two := g.copyOn("enc.2", "")
	if one.Host == two.Host || two.Outcome != store.Placed {
		t.Fatalf("placed on %s and %s", one.Host, two.Host)
	}
	holders := map[string]store.Holder{"a": a, "b": b}
	for _, p := range []store.Placement{one, two} {
		g.up(p.Reservation, holders[p.Host])
		_, err := g.s.Publish(g.ctx, p.Reservation, holders[p.Host].Incarnation, map[string]string{"url": "of-" + p.Instance})
		g.must(err)
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if s := r.Slots["enc"]; s.Lead != "enc.1" || s.Vars["url"] != "of-enc.1" {
		t.Fatalf("the slot is %+v", s)
	}
	g.pass(11*time.Second, holders[two.Host])
	r, err = g.s.Record(g.ctx, "s1")
	g.must(err)
	if s := r.Slots["enc"]; s.Lead != "enc.2" || s.Vars["url"] != "of-enc.2" || r.Instances["enc.1"].State != stream.Pending {
		t.Errorf("after the death of the lead's host: %+v, %+v", s, r.Instances["enc.1"])
	}
	g.balanced("a death")
}

// What would bring copies together that are apart is refused at once, by name.
func TestCopiesThatAreApartAreNotMovedOrPinnedTogether(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.copies(2, stream.ApartHost)
	one, two := g.copyOn("enc.1", "a"), g.copyOn("enc.2", "b")
	g.up(one.Reservation, a)
	g.up(two.Reservation, b)
	refused := func(err error, want string) {
		t.Helper()
		var no *store.MoveError
		if !errors.As(err, &no) || !no.Refused() || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want a refusal with %q", err, want)
		}
	}
	_, err := g.s.Move(g.ctx, "s1", "enc.1", "b", 0)
	refused(err, "apart: b holds enc.2 of this stream")
	_, _, err = g.s.Pin(g.ctx, "s1", "enc", "b", 0)
	refused(err, "the copies of enc are apart")
	g.host("c")
	_, _, err = g.s.Pin(g.ctx, "s1", "enc", "c", 0)
	refused(err, "the copies of enc are apart")
	m, err := g.s.Move(g.ctx, "s1", "enc.1", "", 0)
	g.must(err)
	if got, err := g.s.Evict(g.ctx, m, false, []string{stream.Class{}.ID()}); err != nil || got != store.Asked {
		t.Errorf("with a third host: %v, %v", got, err)
	}
}

// apartFrom has one copy in a state, and asks for a place for the other.
func apartFrom(state stream.State) func(*stage) error {
	return func(g *stage) error {
		g.open()
		a := g.host("a")
		g.copies(2, stream.ApartHost)
		p := g.copyOn("enc.1", "a")
		if state != stream.Assigned {
			g.up(p.Reservation, a)
		}
		if state == stream.Stopping {
			g.must(g.client.HSet(g.ctx, "stream:s1:enc.1", "state", "stopping").Err())
		}
		if got := g.copyOn("enc.2", ""); got.Outcome != store.Full {
			return fmt.Errorf("I8: enc.2 was given to %s, where enc.1 is %s", got.Host, state)
		}
		g.host("b")
		if got := g.copyOn("enc.2", ""); got.Host != "b" {
			return fmt.Errorf("enc.2 was not given to b: %+v", got)
		}
		return nil
	}
}

// apartGuards keep copies apart from others in whatever state.
var apartGuards = func() []guard {
	var out []guard
	for _, state := range []stream.State{stream.Assigned, stream.Running, stream.Stopping} {
		out = append(out, guard{"apart looks at copies that are " + string(state), []cut{{"place",
			"if name ~= instance then", "if name ~= instance and redis.call('HGET', stream .. ':' .. name, 'state') ~= '" + string(state) + "' then"}}, apartFrom(state)})
	}
	out = append(out, guard{"what came together is parted", []cut{{"want", "parts[#parts + 1] = ", "local _ = "}}, cameTogether},
		guard{"what came together by a word stays", []cut{{"want", "if unbidden and bidden(v) then return nil end", ""}, {"want", "and not (unbidden and bidden(o)) ", ""}}, broughtTogether})
	return append(out, guard{"copies are kept apart", []cut{{"place", "if s[6] and not s[5] then", "if false then"}}, apartFrom(stream.Running)})
}()

// A copy whose child keeps failing stays where it is if only the hosts of the other
// copies have room: it could be given to none of them.
func TestGivingACopyUpHelpsOnlyWhereNoOtherCopyIs(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.copies(2, stream.ApartHost)
	one, two := g.copyOn("enc.1", "a"), g.copyOn("enc.2", "b")
	g.up(one.Reservation, a)
	g.up(two.Reservation, b)
	classes := []string{stream.Class{}.ID()}
	give := store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Minute, OnlyIfRoom: true, Classes: classes}
	if got, err := g.s.Release(g.ctx, one.Reservation, a.Incarnation, give); err != nil || got != store.Stays {
		t.Errorf("given up: %v, %v; no host may have it but its own", got, err)
	}
}

// TestWhyItIsHereOutlivesItsWait: why an instance left where it was is why it is elsewhere, whatever was noted meanwhile.
func TestWhyItIsHereOutlivesItsWait(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.copies(1, "")
	v := g.copyOn("enc.1", "a").Reservation
	g.up(v, a)
	here := func() string { return g.ofEnc()[0].Here.String() }
	if got := here(); got != "" {
		t.Errorf("where it came first it is since %q", got)
	}
	failed := stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5")
	_, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: failed})
	g.must(err)
	_, err = g.s.Note(g.ctx, store.Noted{Key: "s1", Instance: "enc.1", Reason: stream.Because(stream.CodeNoOffer, "type", "enc")})
	g.must(err)
	v = g.copyOn("enc.1", "a").Reservation
	if got := here(); got != failed.String() {
		t.Errorf("after a failure it is here since %q", got)
	}
	g.up(v, a)
	_, err = g.s.Move(g.ctx, "s1", "enc", "", 0)
	g.must(err)
	g.host("b")
	m, err := g.s.Moves(g.ctx)
	g.must(err)
	if _, err := g.s.Evict(g.ctx, m[0], true, nil); err != nil {
		t.Fatal(err)
	}
	_, err = g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeMovedAway)})
	g.must(err)
	if got := here(); got != "from a" {
		t.Errorf("after a move it is here since %q", got)
	}
}
