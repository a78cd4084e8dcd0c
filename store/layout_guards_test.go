package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/store"
)

// layoutGuards keep programs of different layouts from writing into one store, and a
// later layout from being put in force over the head of who lives and does not speak it.
var layoutGuards = []guard{
	{"nothing is raised in a hold", []cut{{"raise", "if why then return { 'hold', why } end", ""}}, raisedInAHold},
	{"hosts are asked", []cut{{"raise", "if not speaks(range, layout) then cannot[#cannot + 1] = 'host ' .. host .. ' (' .. range .. ')' end", ""}}, raisedOverAHost},
	{"schedulers are asked", []cut{{"raise", "if not speaks(range, layout) then cannot[#cannot + 1] = 'scheduler ' .. (id or seat) .. ' (' .. (range or '') .. ')' end", ""}}, raisedOverAScheduler},
	{"a dead scheduler is not waited for", []cut{{"raise", "int(now), '+inf', 'BYSCORE'", "'-inf', '+inf', 'BYSCORE'"}}, deadSchedulerKeepsItWaiting},
	{"a layout is never lowered", []cut{{"raise", "if was and was >= layout then", "if was and was == layout then"}}, lowered},
	{"a store without a layout is not raised", []cut{{"raise", "if #cannot > 0 or not was then", "was = was or 0\nif #cannot > 0 then"}}, raisedFromNothing},
	{"a host says what it speaks", []cut{{"register", "'layouts', spoken(from, to), ", "'layouts', spoken(from, from), "}}, hostSpeaksBoth},
	{"register compares layouts", []cut{{"register", "if other then return { 'layout', other } end", ""}}, lateHost},
	{"seat compares layouts", []cut{{"seat", "if other then\n", "if false then\n"}}, lateScheduler},
	{"who is refused gives its seat up", []cut{{"seat", "if other then\n  redis.call('ZREM', key, own)\n", "if other then\n"}}, refusedWithASeat},
	{"a scheduler says what it speaks", []cut{{"seat", "id .. ' ' .. spoken(from, to)", "id .. ' ' .. spoken(to, to)"}}, raisedOverAScheduler},
	{"a seat ends", []cut{{"seat", "redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))", ""}}, seatOfTheDead},
	{"a seat from before the clock went back ends", []cut{{"seat", "redis.call('ZREMRANGEBYSCORE', key, '(' .. int(now + ttl), '+inf')", ""}}, seatFromTheFuture},
	{"a seat that is held is renewed", []cut{{"seat", "if redis.call('ZSCORE', key, own) or redis", "if redis"}}, seatIsKept},
	{"an emptied store has the layout that was known", []cut{{"register", "redis.call('SET', schema, known)", "redis.call('SET', schema, int(from))"}}, emptiedInALaterLayout},
	{"a layout that is too late is seen", []cut{{"register", "or n > to then", "then"}}, lateHost},
	{"a layout that is too early is seen", []cut{{"register", "n < from or ", ""}}, earlyHost},
}

func TestEachGuardOfTheLayoutIsNeeded(t *testing.T) {
	t.Parallel()
	for _, v := range layoutGuards {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if err := v.play(newStage(t)); err != nil {
				t.Fatalf("with the guard: %v", err)
			}
			g := newStage(t)
			for _, c := range v.cuts {
				if err := store.Alter(g.s, c.script, c.old, c.new); err != nil {
					t.Fatalf("the guard is written otherwise now, write it so here: %v", err)
				}
			}
			if err := v.play(g); err == nil {
				t.Fatal("without the guard nothing broke: it guards nothing, or this interleaving does not reach it")
			}
		})
	}
}

// layoutIs is nil if that layout is.
func (g *stage) layoutIs(want string) error {
	if got := g.client.Get(g.ctx, "schema").Val(); got != want {
		return fmt.Errorf("layout %q is in force; want %q", got, want)
	}
	return nil
}

// raise asks for layout 3; that it is refused is an answer.
func (g *stage) raise() {
	g.t.Helper()
	var not *store.NotRaisedError
	if _, err := g.speaking(2, 3).s.Raise(g.ctx); err != nil && !errors.As(err, &not) && !store.IsHold(err) {
		g.t.Fatal(err)
	}
}

// raised is a store in layout 3, which this program used when it was in 2.
func (g *stage) raised() {
	g.t.Helper()
	g.open()
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	g.must(g.client.Set(g.ctx, "schema", "3", 0).Err())
}

// A host of layout 2 lives on; the store was emptied, so that it is not listed yet.
func raisedInAHold(g *stage) error {
	g.open()
	g.host("b")
	g.must(g.client.FlushDB(g.ctx).Err())
	g.c.advance(0)
	g.must(g.client.Set(g.ctx, "schema", "2", 0).Err())
	g.tick()
	g.raise()
	return g.layoutIs("2")
}

func raisedOverAHost(g *stage) error {
	g.open()
	g.host("b")
	g.raise()
	return g.layoutIs("2")
}

func raisedOverAScheduler(g *stage) error {
	g.open()
	g.speaking(2, 2).seat("y")
	g.raise()
	if err := g.layoutIs("2"); err != nil {
		return err
	}
	// One that speaks both is no hindrance to what it speaks, nor to the earlier one.
	if row := g.client.ZRange(g.ctx, "seats", 0, -1).Val(); len(row) != 1 || row[0] != "y 2" {
		return fmt.Errorf("seats %q", row)
	}
	g.must(g.s.Unseat(g.ctx, "y"))
	g.speaking(2, 3).seat("x")
	if row := g.client.ZRange(g.ctx, "seats", 0, -1).Val(); len(row) != 1 || row[0] != "x 2-3" {
		return fmt.Errorf("seats %q", row)
	}
	return nil
}

func deadSchedulerKeepsItWaiting(g *stage) error {
	g.open()
	g.seat("y") // for a minute
	g.pass(61 * time.Second)
	g.raise()
	return g.layoutIs("3")
}

// Who speaks 2 to 3 asks late, when 4 is in force.
func lowered(g *stage) error {
	g.open()
	both := g.speaking(2, 3)
	g.must(both.s.MarkDirty(g.ctx, "s1"))
	g.must(g.client.Set(g.ctx, "schema", "4", 0).Err())
	if _, err := both.s.Raise(g.ctx); err != nil {
		return err
	}
	return g.layoutIs("4")
}

// What nobody has written a layout into holds nothing that is known to be of one.
func raisedFromNothing(g *stage) error {
	g.open()
	both := g.speaking(2, 3)
	g.must(both.s.MarkDirty(g.ctx, "s1"))
	g.must(g.client.Del(g.ctx, "schema").Err())
	var not *store.NotRaisedError
	if _, err := both.s.Raise(g.ctx); !errors.As(err, &not) {
		return fmt.Errorf("%v; want it not raised", err)
	}
	return g.layoutIs("")
}

func hostSpeaksBoth(g *stage) error {
	g.open()
	g.speaking(2, 3).host("b")
	g.raise()
	return g.layoutIs("3")
}

func (g *stage) mustRefuse(err error) error {
	if !errors.Is(err, store.ErrSchema) {
		return fmt.Errorf("%v; want a layout refused", err)
	}
	return nil
}

func lateHost(g *stage) error {
	g.raised()
	if err := g.mustRefuse(g.register(store.Holder{Host: "c", Incarnation: "c-1"}, "id-c", "")); err != nil {
		return err
	}
	if n := g.client.Exists(g.ctx, "host:c", "service:enc:c").Val(); n != 0 {
		return fmt.Errorf("%d keys of who was refused", n)
	}
	return nil
}

// The store was set back to data of before the raise.
func earlyHost(g *stage) error {
	late := g.open().speaking(3, 3)
	g.must(g.client.Set(g.ctx, "schema", "3", 0).Err())
	g.must(late.s.MarkDirty(g.ctx, "s1"))
	g.must(g.client.Set(g.ctx, "schema", "2", 0).Err())
	return g.mustRefuse(late.register(store.Holder{Host: "c", Incarnation: "c-1"}, "id-c", ""))
}

func lateScheduler(g *stage) error {
	g.raised()
	_, err := g.s.Seat(g.ctx, "z", 5, time.Minute)
	return g.mustRefuse(err)
}

// Its seat would keep others standing by until it ends.
func refusedWithASeat(g *stage) error {
	g.open()
	g.seat("z")
	g.must(g.client.Set(g.ctx, "schema", "3", 0).Err())
	if _, err := g.s.Seat(g.ctx, "z", 5, time.Minute); err == nil {
		return errors.New("it is seated still")
	}
	if row := g.client.ZRange(g.ctx, "seats", 0, -1).Val(); len(row) != 0 {
		return fmt.Errorf("seats %q", row)
	}
	return nil
}

// onlySeat is nil if that one has the only seat.
func (g *stage) onlySeat(id string) error {
	answer, err := g.s.Seat(g.ctx, id, 1, time.Minute)
	g.must(err)
	if strings.Join(answer.Seated, " ") != id {
		return fmt.Errorf("%s: %+v; want the only seat", id, answer)
	}
	return nil
}

func seatOfTheDead(g *stage) error {
	g.open()
	g.must(g.onlySeat("dead"))
	g.c.advance(61 * time.Second)
	return g.onlySeat("next")
}

func seatFromTheFuture(g *stage) error {
	g.open()
	g.must(g.onlySeat("dead"))
	g.c.advance(-time.Hour)
	return g.onlySeat("next")
}

func seatIsKept(g *stage) error {
	g.open()
	g.must(g.onlySeat("x"))
	return g.onlySeat("x")
}

func emptiedInALaterLayout(g *stage) error {
	g.open()
	both := g.speaking(2, 3)
	both.host("a")
	g.raise()
	g.must(g.layoutIs("3"))
	_, err := both.s.Seat(g.ctx, "x", 5, time.Minute) // it learns what is in force
	g.must(err)
	g.must(g.client.FlushDB(g.ctx).Err())
	g.c.advance(0)
	g.must(both.register(store.Holder{Host: "a", Incarnation: "a-1"}, "id-a", ""))
	return g.layoutIs("3")
}
