package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// nonsense is what a hand may leave in a field.
var nonsense = []string{"", " ", "nonsense", "-1", "1.5", "1e400", "nan", "inf", "99999999999999999999", "|", "a|b|c|d", "$(id)", "\x00\xff"}

// TestNonsenseInAnyFieldHarmsNothingElse puts each piece of nonsense into each
// field of each hash and runs everything: no script may fail, and another
// stream on another host must still be served.
func TestNonsenseInAnyFieldHarmsNothingElse(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"service:enc:a", "host:a", "stream:s1", "stream:s1:enc", "stream:s1:enc.1", "reaper", "source:src", "announced:src", "missing:src"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			a, v := running(g)
			b := g.host("b")
			for _, c := range everyCall(a, v)[:10] { // so that all of these keys exist
				_ = c.run(g.ctx, g.s)
			}
			g.must(g.client.HSet(g.ctx, "missing:src", "s1", "1").Err())
			g.save()
			fields, err := g.client.HKeys(g.ctx, key).Result()
			g.must(err)
			if len(fields) == 0 {
				t.Fatal("the hash does not exist: nothing is tried")
			}
			for _, field := range fields {
				for _, value := range nonsense {
					g.put(key, field, value)
					for _, c := range everyCall(a, v) {
						if err := c.run(g.ctx, g.s); !isAnswer(err) {
							t.Errorf("%s with %s %s = %q: %v", c.script, key, field, value, err)
						}
					}
					g.serves(b, key+" "+field+" = "+value)
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// put goes back to the saved state and changes one field.
func (g *stage) put(key, field, value string) {
	g.t.Helper()
	g.empty()
	pipe := g.client.Pipeline()
	for k, text := range g.saved {
		pipe.Restore(g.ctx, k, 0, text)
	}
	pipe.HSet(g.ctx, key, field, value)
	_, err := pipe.Exec(g.ctx)
	g.must(err)
	g.memory = store.ReapMemory{}
}

// serves checks that another stream still gets its place on h.
func (g *stage) serves(h store.Holder, why string) {
	g.t.Helper()
	g.memory = store.ReapMemory{}
	g.must(g.client.Del(g.ctx, "reaper").Err()) // past whatever hold this was
	g.c.advance(time.Millisecond)
	g.must(g.register(h, "id-b", ""))
	g.tick()
	g.c.advance(15 * time.Second)
	g.must(g.client.HSet(g.ctx, "reaper", "tick", g.c.us/1000, "until", "0").Err())
	g.must(g.register(h, "id-b", ""))
	g.want("z9")
	if p := g.placeOn("z9", "b"); p.Outcome != store.Placed {
		g.t.Errorf("after %s another stream gets no place: %+v", why, p)
	}
}

// TestNonsenseInAServiceMeansNoRoomAndAnEvent: and a good value means room again.
func TestNonsenseInAServiceMeansNoRoomAndAnEvent(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.host("a")
	g.want("s1")
	g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "many").Err())
	if p := g.place("s1"); p.Outcome != store.Full {
		t.Fatalf("place with a capacity that is no number: %+v", p)
	}
	_, err := g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	events, err := g.s.LastEvents(g.ctx, 1)
	g.must(err)
	if len(events) != 1 || events[0].Event != "nonsense" || events[0].Host != "a" {
		t.Fatalf("no event tells of it: %+v", events)
	}
	g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "1").Err())
	_, err = g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	if p := g.place("s1"); p.Outcome != store.Placed {
		t.Fatalf("place after it was mended: %+v", p)
	}
}

// TestMembersWithoutSeparatorsLeave: rows of sets that nobody wrote that way.
func TestMembersWithoutSeparatorsLeave(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	b := g.host("b")
	for _, member := range nonsense {
		g.must(g.client.ZAdd(g.ctx, "slots:a", redis.Z{Member: member}).Err())
		z := redisMember(member)
		for _, key := range []string{"outbox", "dirty", "pending:enc", "requeue", "load:enc:" + stream.Class{}.ID()} {
			g.must(g.client.ZAdd(g.ctx, key, z).Err())
		}
	}
	if listed, err := g.s.SlotsOf(g.ctx, "a"); err != nil || len(listed) != 1 {
		t.Fatalf("slots of a: %+v, %v; want its one slot", listed, err)
	}
	_, _, err := g.s.Outbox(g.ctx, time.Second, time.Minute, 100)
	g.must(err)
	if n := g.client.ZCard(g.ctx, "outbox").Val(); n != 0 {
		t.Errorf("%d rows of nonsense stay in the outbox", n)
	}
	g.want("s2")
	if p := g.place("s2"); p.Outcome != store.Placed {
		t.Errorf("place beside rows of nonsense in the load set: %+v", p)
	}
	_, err = g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	for _, member := range g.client.ZRange(g.ctx, "slots:a", 0, -1).Val() {
		if member != "enc|s1|enc.1" && member != "enc|s2|enc.1" {
			t.Errorf("%q stays in slots:a", member)
		}
	}
	g.must(g.client.ZAdd(g.ctx, "slots:a", redis.Z{Member: "nonsense"}).Err())
	g.pass(11*time.Second, b)
	if n := g.client.ZCard(g.ctx, "slots:a").Val(); n != 0 {
		t.Errorf("%d rows keep a dead host from being reaped", n)
	}
	_, _ = a, v
}

// TestAKeyOfTheWrongTypeStopsOnlyItsOwn: SET where a hash was. The others are
// served, the dead are reaped, and what was lost with it comes back.
func TestAKeyOfTheWrongTypeStopsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"service:enc:a", "host:a", "stream:s1", "stream:s1:enc", "stream:s1:enc.1"} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, its host dies: %v", key, dies), func(t *testing.T) {
				t.Parallel()
				g := newStage(t)
				a, _ := running(g)
				b := g.host("b")
				g.want("s2")
				g.must(g.client.Set(g.ctx, key, "nonsense", 0).Err())
				if p := g.place("s2"); p.Outcome != store.Placed || key != "stream:s1" && key != "stream:s1:enc.1" && p.Host != "b" {
					t.Fatalf("another stream: %+v", p)
				}
				if _, err := g.s.Hosts(g.ctx); err != nil {
					t.Error(err)
				}
				if _, err := g.s.Status(g.ctx); err != nil {
					t.Error(err)
				}
				if dies {
					g.pass(11*time.Second, b)
					if n := g.client.ZCard(g.ctx, "slots:a").Val(); n != 0 {
						t.Errorf("%d slots are left with a dead host", n)
					}
				}
				for _, host := range []string{"a", "b"} {
					_, err := g.s.Reindex(g.ctx, host, nil)
					g.must(err)
				}
				if !dies && !strings.HasPrefix(key, "stream:") {
					if _, err := g.s.Heartbeat(g.ctx, a); !errors.Is(err, store.ErrUnknownHost) {
						t.Errorf("the host is not asked to register again: %v", err)
					}
				}
				g.must(g.register(a, "id-a", ""))
				g.must(g.s.MarkDirty(g.ctx, "s1"))
				wantMarked(t, g.s, "s1", true, "enc")
				events, err := g.s.LastEvents(g.ctx, 100)
				g.must(err)
				if !slices.ContainsFunc(events, func(e store.Event) bool {
					return e.Event == "nonsense" && strings.Contains(e.Reason, key+" was a string")
				}) {
					t.Error("no event tells of it")
				}
				if key == "stream:s1:enc.1" || dies {
					if p := g.place("s1"); p.Outcome != store.Placed {
						t.Errorf("what was lost is not placed anew: %+v", p)
					}
				} else if s := g.instance("s1"); s.State != stream.Running || s.Host != "a" {
					t.Errorf("s1 is %s on %q; want it untouched", s.State, s.Host)
				}
			})
		}
	}
}
