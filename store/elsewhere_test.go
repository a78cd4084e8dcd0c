package store_test

import (
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// holds are the states of the reaper's hash in which nothing may be taken or given;
// until: whether it is known when that ends.
var holds = map[string]struct {
	do    func(g *stage)
	code  stream.Code // why, as people are told; empty: nothing is held
	until bool
}{
	"nothing":               {func(g *stage) {}, "", false},
	"a hold":                {func(g *stage) { g.reaper("until", 5000, "reason", "restarted") }, stream.CodeRestarted, true},
	"a hold that is over":   {func(g *stage) { g.reaper("until", -1, "reason", "restarted") }, "", false},
	"a mass lapse":          {func(g *stage) { g.reaper("mass_until", 5000) }, stream.CodeMassLapse, true},
	"nobody ticks":          {func(g *stage) { g.reaper("tick", -3001) }, stream.CodeNoScheduler, false},
	"a late tick":           {func(g *stage) { g.reaper("tick", -3000) }, "", false},
	"the clock went back":   {func(g *stage) { g.reaper("tick", 501) }, stream.CodeClockBack, false},
	"a little":              {func(g *stage) { g.reaper("tick", 500) }, "", false},
	"nobody ever ticked":    {func(g *stage) { g.must(g.client.HDel(g.ctx, "reaper", "tick").Err()) }, stream.CodeNoScheduler, false},
	"a hand wrote the tick": {func(g *stage) { g.must(g.client.HSet(g.ctx, "reaper", "tick", "1e300").Err()) }, stream.CodeNoScheduler, false},
}

// reaper writes a time of the reaper's, ms from now, and perhaps a reason.
func (g *stage) reaper(field string, ms int64, more ...string) {
	g.t.Helper()
	g.must(g.client.HSet(g.ctx, "reaper", field, g.c.us/1000+ms).Err())
	if len(more) > 0 {
		g.must(g.client.HSet(g.ctx, "reaper", more).Err())
	}
}

// TestPeopleAreToldOfTheHoldThatScriptsKeep: what status says is on hold is so to
// whoever takes and gives, and nothing else is.
func TestPeopleAreToldOfTheHoldThatScriptsKeep(t *testing.T) {
	t.Parallel()
	for name, c := range holds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			g.host("b")
			g.want("s1")
			c.do(g)
			before := g.content()
			told, err := g.s.Overview(g.ctx)
			g.must(err)
			var code stream.Code
			if told.Hold != nil {
				code = told.Hold.Code
			}
			if code != c.code || c.until && told.Hold.Until != g.c.us/1000+5000 {
				t.Errorf("people are told of %q, %+v; want %q", code, told.Hold, c.code)
			}
			// The same for who may run no script.
			read, err := store.HeldAsRead(g.ctx, g.s, g.c.us/1000)
			g.must(err)
			if (read == nil) != (told.Hold == nil) || read != nil && (read.Code != code || c.until && read.Until != told.Hold.Until) {
				t.Errorf("by reading it is %+v; the script says %+v", read, told.Hold)
			}
			if !maps.Equal(before, g.content()) {
				t.Error("to look at it changed the store")
			}
			if p := g.placeOn("s1", "b"); (p.Outcome == store.OnHold) != (code != "") {
				t.Errorf("told of %q; place says %+v", code, p)
			}
		})
	}
}

// TestReleaseGivesUpWhereElsewhereSaysThatItHelps: who asks first and who decides have
// one answer.
func TestReleaseGivesUpWhereElsewhereSaysThatItHelps(t *testing.T) {
	t.Parallel()
	other := func(g *stage) { g.host("b") }
	for name, c := range map[string]struct {
		do    func(g *stage)
		helps bool
	}{
		"nobody else":      {func(g *stage) {}, false},
		"another has room": {other, true},
		"its lease is over": {func(g *stage) {
			other(g)
			g.must(g.client.ZAdd(g.ctx, "hosts:lease", redis.Z{Member: "b", Score: float64(g.c.us / 1000)}).Err())
		}, false},
		"it is full":             {func(g *stage) { other(g); g.fill("b") }, false},
		"it failed there":        {func(g *stage) { other(g); g.avoid("b", 1000) }, false},
		"it failed on a third":   {func(g *stage) { other(g); g.avoid("c", 1000) }, false},
		"long ago":               {func(g *stage) { other(g); g.avoid("b", 0) }, true},
		"it failed here":         {func(g *stage) { other(g); g.avoid("a", 1000) }, true},
		"its pin is here":        {func(g *stage) { other(g); g.pin("a") }, false},
		"its pin has room":       {func(g *stage) { other(g); g.pin("b") }, true},
		"its pin is a third":     {func(g *stage) { other(g); g.pin("c") }, false},
		"a hold":                 {func(g *stage) { other(g); g.reaper("until", 5000) }, false},
		"the clock went back":    {func(g *stage) { other(g); g.reaper("tick", 501) }, false},
		"no class of those left": {func(g *stage) { other(g); g.must(g.client.Del(g.ctx, "load:enc:"+stream.Class{}.ID()).Err()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			a, v := running(g)
			c.do(g)
			before := g.content()
			helps, err := g.s.Elsewhere(g.ctx, v, []string{stream.Class{}.ID()})
			g.must(err)
			if helps != c.helps {
				t.Errorf("giving it up helps: %v; want %v", helps, c.helps)
			}
			if !maps.Equal(before, g.content()) {
				t.Error("to ask changed the store")
			}
			did, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Second, OnlyIfRoom: true, Classes: []string{stream.Class{}.ID()}})
			var hold *store.HoldError
			if err != nil && !errors.As(err, &hold) {
				t.Fatal(err)
			}
			if given := err == nil && did == store.Requeued; given != helps {
				t.Errorf("asked: %v; given up: %v (%v)", helps, given, err)
			}
		})
	}
}

// fill has a host full.
func (g *stage) fill(host string) {
	g.t.Helper()
	zero := 0
	g.must(g.s.SetCapacity(g.ctx, "enc", host, &zero))
}

// avoid keeps s1 off a host until ms from now.
func (g *stage) avoid(host string, ms int64) {
	g.t.Helper()
	g.must(g.client.HSet(g.ctx, "stream:s1:enc.1", "avoid", host+"="+strconv.FormatInt(g.c.us/1000+ms, 10)).Err())
}

func (g *stage) pin(host string) {
	g.t.Helper()
	g.must(g.s.Override(g.ctx, "s1", map[string]string{"pin:enc": host}))
}
