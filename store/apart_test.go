package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// sites are hosts a and b of alb, c of ber, and x, of which no file says where it is.
func (g *stage) sites() map[string]store.Holder {
	g.t.Helper()
	out := map[string]store.Holder{}
	for host, site := range map[string]string{"a": "alb", "b": "alb", "c": "ber", "x": ""} {
		h := store.Holder{Host: host, Incarnation: host + "-1"}
		labels := stream.Labels{"site": site, "gpu": "vaapi"}
		if site == "" {
			labels = nil
		}
		g.labelled(h, "", labels, stream.Class{})
		out[host] = h
	}
	return out
}

// anywhere asks for a place for a copy of enc on hosts whatever their labels, or those
// given.
func (g *stage) anywhere(instance string, hosts ...string) store.Placement {
	g.t.Helper()
	var candidates []store.Candidate
	for _, site := range []string{"alb", "ber", ""} {
		labels := stream.Labels{"site": site, "gpu": "vaapi"}
		if site == "" {
			labels = nil
		}
		class := stream.Class{Labels: labels.Encode()}.ID()
		for _, host := range hosts {
			candidates = append(candidates, store.Candidate{Class: class, Host: host})
		}
		if len(hosts) == 0 {
			candidates = append(candidates, store.Candidate{Class: class})
		}
	}
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: instance, Type: "enc", Candidates: candidates}})
	g.must(err)
	return got[0]
}

// TestCopiesAreApartByALabel: no two where it has one value, and who has it not stands
// alone; a hand that gives a host another value is heeded at once.
func TestCopiesAreApartByALabel(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.sites()
	g.copies(4, "site")
	one := g.anywhere("enc.1", "b")
	if got := g.anywhere("enc.2", "a", "b"); one.Host != "b" || got.Outcome != store.Full || len(got.Passed) == 0 {
		t.Errorf("beside %+v the second is %+v; want neither a nor b, passed over", one, got)
	}
	var hosts []string
	for _, name := range []string{"enc.2", "enc.3", "enc.4"} {
		hosts = append(hosts, g.anywhere(name).Host)
	}
	if !slices.Equal(hosts, []string{"c", "x", ""}) {
		t.Errorf("the others are on %q; want c, of the other site, x, which stands alone, and none", hosts)
	}
	refused, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: "enc.4", Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{Labels: stream.Labels{"site": "alb", "gpu": "vaapi"}.Encode()}.ID()}}}})
	g.must(err)
	if p := refused[0].Passed; !slices.ContainsFunc(p, func(v store.Passed) bool { return v.Host == "*" }) {
		t.Errorf("passed over %+v; want all of the class, whose labels are those of b", p)
	}
	g.must(g.client.HSet(g.ctx, "host:a", "labels", `{ "gpu" : "vaapi", "site" : "ulm" }`).Err())
	if got := g.anywhere("enc.4"); got.Host != "a" {
		t.Errorf("once a is of ulm, it is %+v", got)
	}
}

// What would bring copies to one site that are apart by it is refused at once, by name;
// within its own site a copy moves, beside itself, too.
func TestCopiesThatAreApartByALabelAreNotMovedTogether(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	on := g.sites()
	g.copies(2, "site")
	one, two := g.anywhere("enc.1", "b"), g.anywhere("enc.2", "c")
	g.up(one.Reservation, on["b"])
	g.up(two.Reservation, on["c"])
	var no *store.MoveError
	if _, err := g.s.Move(g.ctx, "s1", "enc.2", "a", 0); !errors.As(err, &no) || !no.Refused() ||
		!strings.Contains(err.Error(), "apart: b of the same site as a, alb, holds enc.1 of this stream") {
		t.Errorf("moved to a: %v", err)
	}
	if _, _, err := g.s.Pin(g.ctx, "s1", "enc", "x", 0); !errors.As(err, &no) || !no.Refused() {
		t.Errorf("pinned to x: %v", err)
	}
	m, err := g.s.Move(g.ctx, "s1", "enc.1", "a", 0)
	g.must(err)
	g.must(g.s.Succeed(g.ctx, m))
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if got := g.anywhere(r.Successor("enc.1").Instance, "a"); got.Host != "a" {
		t.Errorf("its successor within alb: %+v", got)
	}
	// Nowhere but at the other's site there is room: it stays.
	alb := stream.Class{Labels: stream.Labels{"site": "alb", "gpu": "vaapi"}.Encode()}.ID()
	give := store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Minute, OnlyIfRoom: true, Classes: []string{alb}}
	if got, err := g.s.Release(g.ctx, two.Reservation, on["c"].Incarnation, give); err != nil || got != store.Stays {
		t.Errorf("given up: %v, %v; only hosts of alb have room", got, err)
	}
	if m, err = g.s.Move(g.ctx, "s1", "enc.2", "", 0); err != nil {
		t.Fatal(err)
	}
	if got, err := g.s.Evict(g.ctx, m, false, []string{alb}); err != nil || got == store.Asked {
		t.Errorf("evicted: %v, %v; only hosts of alb have room", got, err)
	}
}

// togetherAtASite has one copy at a site, and asks for a place there for the other.
func togetherAtASite(state stream.State) func(*stage) error {
	return func(g *stage) error {
		g.open()
		on := g.sites()
		g.copies(2, "site")
		p := g.anywhere("enc.1", "a")
		if state != stream.Assigned {
			g.up(p.Reservation, on["a"])
		}
		if state == stream.Stopping {
			g.must(g.client.HSet(g.ctx, "stream:s1:enc.1", "state", "stopping").Err())
		}
		if got := g.anywhere("enc.2", "b"); got.Outcome != store.Full {
			return fmt.Errorf("I8: enc.2 was given to %s, of the site of enc.1, which is %s", got.Host, state)
		}
		if got := g.anywhere("enc.2", "c"); got.Host != "c" {
			return fmt.Errorf("enc.2 was not given to c: %+v", got)
		}
		return nil
	}
}

// labelGuards keep copies off each other's sites, whatever their states.
var labelGuards = func() []guard {
	var out []guard
	for _, state := range []stream.State{stream.Assigned, stream.Running, stream.Stopping} {
		out = append(out, guard{"apart by site looks at copies that are " + string(state), []cut{{"place",
			"if name ~= instance then", "if name ~= instance and redis.call('HGET', stream .. ':' .. name, 'state') ~= '" + string(state) + "' then"}}, togetherAtASite(state)})
	}
	return append(out, guard{"copies are kept off each other's sites", []cut{{"place", "if values and not beside_others and values[label(host, s[6]) or 0] then", "if false then"}}, togetherAtASite(stream.Running)})
}()
