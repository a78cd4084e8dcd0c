package store_test

import (
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// TestAssertTable: what a holder is told, by what the store has of the slot, in
// a hold and outside of one, with an earlier, an equal and a later token.
func TestAssertTable(t *testing.T) {
	t.Parallel()
	const early, late = "1-early", "9000000000000000-late"
	setups := map[string]func(g *stage, b store.Holder){
		"absent":  func(g *stage, b store.Holder) {},
		"pending": func(g *stage, b store.Holder) { g.want("s1") },
		"assigned": func(g *stage, b store.Holder) {
			g.want("s1")
			g.given("s1", "b")
		},
		"running": func(g *stage, b store.Holder) {
			g.want("s1")
			g.runs(g.given("s1", "b"), b)
		},
		"stopping": func(g *stage, b store.Holder) {
			g.want("s1")
			g.runs(g.given("s1", "b"), b)
			g.end("s1")
		},
	}
	for _, c := range []struct {
		state, token string
		hold, keep   bool
	}{
		{"absent", early, false, false},
		{"absent", late, false, false},
		{"absent", early, true, true},
		{"absent", late, true, true},
		{"pending", early, false, true},
		{"pending", early, true, true},
		{"assigned", early, false, true},
		{"assigned", early, true, true},
		{"running", early, false, false},
		{"running", early, true, false},
		{"running", late, false, true},
		{"running", late, true, true},
		{"stopping", early, false, false},
		{"stopping", early, true, false},
		{"stopping", late, false, true},
		{"stopping", late, true, true},
	} {
		name := c.state + " " + c.token
		if c.hold {
			name += " in a hold"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			a, b := g.host("a"), g.host("b")
			setups[c.state](g, b)
			if c.hold {
				g.must(g.client.HSet(g.ctx, "reaper", "until", g.c.us/1000+5000, "reason", "a test").Err())
			}
			v := store.Reservation{Key: "s1", Instance: "enc.1", Type: "enc", Host: "a", Token: c.token}
			copied := store.Copy{Source: "src", Announcement: stream.Announcement{Chain: []string{"enc"}}.Encode(), Chain: []string{"enc"},
				Priority: 7, Fields: map[string]string{"lang": "de"}, Vars: map[string]string{"url": "u"}}
			got, err := g.s.Assert(g.ctx, v, a.Incarnation, copied)
			g.must(err)
			if got.Keep != c.keep {
				t.Fatalf("answer %+v, want keep %v", got, c.keep)
			}
			g.balanced("assert")
			if !c.keep {
				if got.Reason.IsZero() {
					t.Error("told to end the child and not why")
				}
				return
			}
			if r := g.instance("s1"); r.State != stream.Running || r.Reservation != v || r.Vars["url"] != "u" {
				t.Errorf("the record says %+v, want what the holder said", r)
			}
			again, err := g.s.Assert(g.ctx, v, a.Incarnation, copied)
			if err != nil || !again.Keep {
				t.Errorf("a second assert: %+v, %v", again, err)
			}
			if _, err := g.s.Assert(g.ctx, v, "another", copied); err == nil {
				t.Error("another life of the host may assert")
			}
			g.balanced("a second assert")
		})
	}
}

// TestAssertRestoresWhatTheStoreLost: the stream, its announcement and the
// variables; and the source has the time it always has to list it again.
func TestAssertRestoresWhatTheStoreLost(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	g.empty()
	g.tick()
	g.must(g.register(a, "id-a", ""))
	c := store.Copy{Source: "src", Announcement: stream.Announcement{Chain: []string{"enc"}, Priority: 7}.Encode(), Chain: []string{"enc"},
		Priority: 7, Fields: map[string]string{"lang": "de", "source:url": "http://x"}, Vars: map[string]string{"url": "u"}}
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, c)
	if err != nil || !got.Keep {
		t.Fatalf("assert: %+v, %v", got, err)
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if r.Source != "src" || r.Priority != 7 || r.Vars["lang"] != "de" || r.Origin["url"] != "http://x" || r.LeadOf("enc").Vars["url"] != "u" {
		t.Fatalf("restored %+v", r)
	}
	set, err := g.s.Announced(g.ctx, "src")
	g.must(err)
	if set.Entries["s1"] != c.Announcement || set.Missing["s1"] != g.c.us/1000 {
		t.Fatalf("announced %+v, want s1, missing since now", set)
	}
	marks, err := g.s.Dirty(g.ctx, 9)
	if err != nil || len(marks) != 1 {
		t.Fatalf("dirty: %+v, %v; want s1", marks, err)
	}
}

// TestAssertMayOverfill: what runs, runs; nothing more is placed there.
func TestAssertMayOverfill(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.offer("a", limit(1), stream.Class{})
	for _, key := range []string{"s1", "s2", "s3"} {
		g.want(key)
	}
	g.given("s1", "a")
	v := store.Reservation{Key: "s2", Instance: "enc.1", Type: "enc", Host: "a", Token: "1-x"}
	if got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}}); err != nil || !got.Keep {
		t.Fatalf("assert: %+v, %v", got, err)
	}
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	if s := hosts[0].Services[0]; s.Used != 2 || s.Limit != 1 {
		t.Fatalf("service %+v, want 2 of 1 used", s)
	}
	if p := g.place("s3"); p.Outcome != store.Full {
		t.Fatalf("place on an overfull host: %+v", p)
	}
	g.balanced("overfilling")
}

// TestRegisterCompareAndSet: who may follow whom under a host's name.
func TestRegisterCompareAndSet(t *testing.T) {
	t.Parallel()
	next := store.Holder{Host: "a", Incarnation: "a-2"}
	for name, c := range map[string]struct {
		id, replaces string
		lapsed, held bool
		want         string
	}{
		"the life it replaces":                      {"id-a", "a-1", false, true, "ok"},
		"the same place, not knowing its successor": {"id-a", "a-0", false, true, "changed"},
		"the same place, knowing none":              {"id-a", "", false, true, "changed"},
		"another place, alive":                      {"id-x", "", false, false, "taken"},
		"another place that names the life":         {"id-x", "a-1", false, true, "ok"}, // only the same state directory can know it
		"another place, lapsed but not yet reaped":  {"id-x", "", true, true, "taken"},
		"another place, lapsed and holding nothing": {"id-x", "", true, false, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			a := g.host("a")
			if c.held {
				g.want("s1")
				g.runs(g.given("s1", "a"), a)
			}
			if c.lapsed {
				g.c.advance(11 * time.Second) // and no tick
			}
			got := "ok"
			switch err := g.register(next, c.id, c.replaces).(type) {
			case nil:
			case *store.ChangedError:
				got = "changed"
				if err.Incarnation != "a-1" {
					t.Errorf("told of %q", err.Incarnation)
				}
			case *store.TakenError:
				got = "taken"
			default:
				t.Fatal(err)
			}
			if got != c.want {
				t.Fatalf("answer %s, want %s", got, c.want)
			}
			if c.held && g.instance("s1").State != stream.Running {
				t.Error("registering freed a slot")
			}
			g.balanced("register")
		})
	}
}

// TestASlotThatRanTwiceIsAnEvent: the host that is told that another has it.
func TestASlotThatRanTwiceIsAnEvent(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	b := g.host("b")
	g.pass(12*time.Second, b) // a is cut off
	w := g.given("s1", "b")
	g.must(g.s.Claim(g.ctx, w, b.Incarnation))
	g.must(g.register(a, "id-a", a.Incarnation))
	answer, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Source: "manual", Chain: []string{"enc"}})
	if err != nil || answer.Keep {
		t.Fatalf("assert of what another has: %+v, %v", answer, err)
	}
	events, err := g.s.LastEvents(g.ctx, 3)
	g.must(err)
	for _, e := range events {
		if e.Event == "lost" && e.Stream == "s1" && e.Slot == "enc" && e.Host == "a" && e.Token == v.Token && e.Reason == "host b has it" {
			return
		}
	}
	t.Errorf("the feed ends with %+v; want that a lost s1", events)
}
