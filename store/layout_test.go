package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// speaking is the stage as a program sees it that speaks those layouts.
func (g *stage) speaking(from, to int) *stage {
	g.t.Helper()
	s, err := store.New(g.client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second, Speaks: stream.Layouts{From: from, To: to}})
	g.must(err)
	store.ShareScripts(s, g.s)
	other := *g
	other.s = s
	return &other
}

func (g *stage) schema(want string) {
	g.t.Helper()
	if got := g.client.Get(g.ctx, "schema").Val(); got != want {
		g.t.Fatalf("layout %q is in force; want %q", got, want)
	}
}

// refused checks that err refuses a layout, in one line that says what to do.
func (g *stage) refused(err error, parts ...string) {
	g.t.Helper()
	if !errors.Is(err, store.ErrSchema) || strings.Contains(err.Error(), "\n") {
		g.t.Fatalf("%v; want it refused in one line", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			g.t.Errorf("%q does not say %q", err, part)
		}
	}
}

// Layout 3 is made up: programs that speak 2, 2 and 3, and 3 alone share a store.
func TestALaterLayoutIsInForceOnceAllWhoLiveSpeakIt(t *testing.T) {
	t.Parallel()
	old := newStage(t)
	both := old.speaking(2, 3)
	if _, err := both.s.Raise(old.ctx); !store.IsHold(err) {
		t.Fatalf("%v; want nothing raised in a hold, as it is not known who lives", err)
	}
	old.open()
	old.schema("2")
	a, b := both.host("a"), old.host("b")
	old.want("s1")
	v := old.given("s1", "a")
	old.runs(v, a)
	old.seat("y")
	both.seat("x")

	_, err := both.s.Raise(old.ctx)
	var not *store.NotRaisedError
	if !errors.As(err, &not) || strings.Join(not.Who, "; ") != "host b (2); scheduler y (2)" || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v; want host b and scheduler y named, in one line, and nobody else", err)
	}
	old.schema("2")
	renewed := store.Holder{Host: "b", Incarnation: "b-2"}
	old.must(both.register(renewed, "id-b", b.Incarnation))
	old.must(old.s.Unseat(old.ctx, "y"))
	both.seat("y")
	if raised, err := both.s.Raise(old.ctx); err != nil || !raised || both.s.Layout() != 3 {
		t.Fatalf("raised %v, %v, layout %d; want 3, as all who live speak it", raised, err, both.s.Layout())
	}
	old.schema("3")
	if raised, err := both.s.Raise(old.ctx); err != nil || raised {
		t.Fatalf("raised %v, %v; want it in force already", raised, err)
	}

	// Who comes late is refused, whatever it does first.
	old.refused(old.register(store.Holder{Host: "c", Incarnation: "c-1"}, "id-c", ""), "layout 3", "speaks 2", "install the version")
	_, err = old.s.Seat(old.ctx, "z", 5, time.Minute)
	old.refused(err, "layout 3", "speaks 2")
	old.refused(old.speaking(2, 2).s.Check(old.ctx), "layout 3")
	old.refused(old.speaking(2, 2).s.MarkDirty(old.ctx, "s1"), "layout 3")
	if hosts, err := both.s.Hosts(old.ctx); err != nil || len(hosts) != 2 {
		t.Fatalf("%d hosts, %v; want none of who was refused", len(hosts), err)
	}

	// What runs goes on, and so does work.
	both.pass(15*time.Second, a, renewed)
	record, err := both.s.Record(old.ctx, "s1")
	if err != nil || record.Slots["enc"].State != stream.Running || record.LeadOf("enc").Token != v.Token {
		t.Fatalf("%+v, %v; want s1 running under the token it had", record.Slots["enc"], err)
	}
	both.want("s2")
	both.runs(both.given("s2", "b"), renewed)

	// An emptied store gets the layout that who is there knew to be in force.
	old.must(old.client.FlushDB(old.ctx).Err())
	old.c.advance(0)
	old.must(both.register(a, "id-a", ""))
	old.schema("3")
	old.must(old.speaking(3, 3).register(store.Holder{Host: "d", Incarnation: "d-1"}, "id-d", ""))
}

func (g *stage) seat(id string) {
	g.t.Helper()
	answer, err := g.s.Seat(g.ctx, id, 5, time.Minute)
	g.must(err)
	if answer.Seated == nil {
		g.t.Fatalf("%s has no seat", id)
	}
}

// A host whose lease is over and that was not reaped yet may live still.
func TestAHostIsAskedAboutLayoutsUntilItIsReaped(t *testing.T) {
	t.Parallel()
	old := newStage(t).open()
	both := old.speaking(2, 3)
	old.host("b")
	both.pass(5 * time.Second)
	if _, err := both.s.Raise(old.ctx); err == nil {
		t.Fatal("raised over the head of a host that has a lease")
	}
	both.pass(time.Minute) // it is reaped
	if raised, err := both.s.Raise(old.ctx); err != nil || !raised {
		t.Fatalf("raised %v, %v; want a dead host not to be waited for", raised, err)
	}
}

// Both sides refuse each other, whichever is older, and say what to do.
func TestProgramAndStoreOfDifferentLayoutsRefuseEachOther(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	for text, advice := range map[string]string{
		"1": "empty it", "999": "install the version that the other hosts run", "many": "stream-api version", "-1": "empty it",
	} {
		g.must(g.client.Set(g.ctx, "schema", text, 0).Err())
		s := g.speaking(2, 2).s
		for name, call := range map[string]func(context.Context) error{"look": s.Check, "write": s.Begin, "run a script": func(ctx context.Context) error { return s.MarkDirty(ctx, "s1") }} {
			err := call(g.ctx)
			g.refused(err, text, advice)
			if t.Failed() {
				t.Fatalf("to %s at layout %s", name, text)
			}
		}
		g.schema(text)
	}
}
