package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// stage is a store on a real Redis with a clock of its own, on which a test
// plays one interleaving: who speaks when is written down, nothing is random.
type stage struct {
	t      *testing.T
	ctx    context.Context
	client redis.UniversalClient
	s      *store.Store
	c      *clock
	memory store.ReapMemory
	beaten int64
	trees  map[string][]store.Reservation // <key>|<slot> → living children
	saved  map[string]string
	within bool // the store is the embedded one
}

func newStage(t *testing.T) *stage {
	t.Helper()
	g := &stage{t: t, ctx: t.Context(), client: realtest.Redis(t).Client(), trees: map[string][]store.Reservation{}}
	g.c = &clock{t: t, client: g.client, us: 1_800_000_000_000_000}
	g.c.advance(0)
	var err error
	g.s, err = store.New(g.client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// must ends the test for an error that the interleaving does not allow for.
func (g *stage) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// tick is one tick of a scheduler that remembers.
func (g *stage) tick() store.ReapResult {
	g.t.Helper()
	r, err := g.s.Reap(g.ctx, g.memory)
	g.must(err)
	g.memory = store.ReapMemory{Expected: r.Now, Epoch: r.Epoch}
	return r
}

// pass lets time go by with a tick each half second; who beats does so every
// two seconds.
func (g *stage) pass(d time.Duration, beating ...store.Holder) {
	g.t.Helper()
	for end := g.c.us + d.Microseconds(); g.c.us < end; {
		step := min(500*time.Millisecond, time.Duration(end-g.c.us)*time.Microsecond)
		g.c.advance(step)
		if g.memory.Expected != 0 {
			g.memory.Expected += step.Milliseconds()
		}
		if g.c.us-g.beaten >= 2_000_000 {
			g.beaten = g.c.us
			for _, h := range beating {
				_, err := g.s.Heartbeat(g.ctx, h)
				g.must(err)
			}
		}
		g.tick()
	}
}

// away lets time go by while nobody reaches the store; the scheduler's own
// clock goes on.
func (g *stage) away(d time.Duration) {
	g.t.Helper()
	g.c.advance(d)
	if g.memory.Expected != 0 {
		g.memory.Expected += d.Milliseconds()
	}
}

// open passes the first hold.
func (g *stage) open() *stage {
	g.t.Helper()
	g.tick()
	g.pass(6 * time.Second)
	return g
}

// host registers one that takes two slots of the type enc.
func (g *stage) host(name string) store.Holder {
	g.t.Helper()
	h := store.Holder{Host: name, Incarnation: name + "-1"}
	g.must(g.register(h, "id-"+name, ""))
	return h
}

func (g *stage) register(h store.Holder, id, replaces string) error {
	_, err := g.s.Register(g.ctx, store.Registration{
		Holder: h, HostID: id, Replaces: replaces, TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "test",
		Offers: []store.Offer{{Type: "enc", Capacity: limit(2)}},
	})
	return err
}

// want announces a stream with the chain enc and wants it.
func (g *stage) want(key string) {
	g.t.Helper()
	want(g.t, g.s, key, "enc")
}

// end retracts it.
func (g *stage) end(key string) {
	g.t.Helper()
	_, err := g.s.Retract(g.ctx, store.ManualSource, key)
	g.must(err)
	wantMarked(g.t, g.s, key, false)
}

// place asks for a place for key/enc.
func (g *stage) place(key string) store.Placement {
	g.t.Helper()
	return g.placeOn(key, "")
}

func (g *stage) placeOn(key, host string) store.Placement {
	g.t.Helper()
	instance := "enc.1"
	if r, err := g.s.Record(g.ctx, key); err == nil && r.Slots["enc"].Lead != "" {
		instance = r.Slots["enc"].Lead
	}
	got, err := g.s.Place(g.ctx, []store.Request{{
		Key: key, Instance: instance, Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: host}},
	}})
	g.must(err)
	return got[0]
}

// given is place where it must succeed on that host.
func (g *stage) given(key, host string) store.Reservation {
	g.t.Helper()
	p := g.placeOn(key, host)
	if p.Outcome != store.Placed || p.Host != host {
		g.t.Fatalf("place %s on %s: %+v", key, host, p)
	}
	return p.Reservation
}

// starts claims, and if that is granted a child lives: the error is I5 broken.
func (g *stage) starts(v store.Reservation, h store.Holder) error {
	if err := g.s.Claim(g.ctx, v, h.Incarnation); err != nil {
		return nil
	}
	return g.lives(v)
}

// runs is starts where it must be granted.
func (g *stage) runs(v store.Reservation, h store.Holder) {
	g.t.Helper()
	g.must(g.s.Claim(g.ctx, v, h.Incarnation))
	g.must(g.lives(v))
}

func (g *stage) lives(v store.Reservation) error {
	at := v.Key + "|" + stream.SlotOf(v.Instance)
	g.trees[at] = append(g.trees[at], v)
	if len(g.trees[at]) > 1 {
		return fmt.Errorf("I5: %s has two live children: %+v", at, g.trees[at])
	}
	return nil
}

// dies says that the child's tree is gone.
func (g *stage) dies(v store.Reservation) {
	at := v.Key + "|" + stream.SlotOf(v.Instance)
	kept := g.trees[at][:0]
	for _, other := range g.trees[at] {
		if other.Token != v.Token || other.Host != v.Host {
			kept = append(kept, other)
		}
	}
	g.trees[at] = kept
}

// elsewhere is what schedulers and the other hosts do: if the slot is to be
// had, it is placed on h, and started.
func (g *stage) elsewhere(key string, h store.Holder) error {
	g.t.Helper()
	p := g.placeOn(key, h.Host)
	if p.Outcome != store.Placed {
		return nil
	}
	return g.starts(p.Reservation, h)
}

// release gives back what has ended; that it is not this host's any more is
// as good.
func (g *stage) release(v store.Reservation, h store.Holder) {
	_, _ = g.s.Release(g.ctx, v, h.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})
}

func (g *stage) instance(key string) store.InstanceRecord {
	g.t.Helper()
	r, err := g.s.Record(g.ctx, key)
	g.must(err)
	return r.LeadOf("enc")
}

// save and restore are a server that comes back with older data; its clock
// does not go back.
func (g *stage) save() {
	g.t.Helper()
	if g.within {
		g.t.Skip("the embedded store gives out no copies of its keys (DUMP)")
	}
	keys, err := g.client.Keys(g.ctx, "*").Result()
	g.must(err)
	g.saved = map[string]string{}
	for _, key := range keys {
		if !strings.HasPrefix(key, "test:") {
			g.saved[key], err = g.client.Dump(g.ctx, key).Result()
			g.must(err)
		}
	}
}

func (g *stage) restore() {
	g.t.Helper()
	g.empty()
	for key, text := range g.saved {
		g.must(g.client.Restore(g.ctx, key, 0, text).Err())
	}
	g.must(g.client.Set(g.ctx, "test:run_id", "another", 0).Err())
	g.must(g.client.ScriptFlush(g.ctx).Err())
}

func (g *stage) empty() {
	g.t.Helper()
	g.must(g.client.FlushAll(g.ctx).Err())
	g.c.advance(0)
}

// roundTrips counts what a client sends.
type roundTrips struct{ n int }

func (*roundTrips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *roundTrips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.n++
		return next(ctx, cmd)
	}
}

func (r *roundTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.n++
		return next(ctx, cmds)
	}
}
