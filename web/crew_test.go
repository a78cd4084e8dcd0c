package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// The lease of the crew's hosts; short, so that a killed one is reaped soon.
const (
	crewTTL  = 3 * time.Second
	crewBeat = 150 * time.Millisecond
)

// crew plays schedulers and hosts over the store's own methods on a real
// Redis: what the page is to show happens for real, only no child runs.
type crew struct {
	t     testing.TB
	redis *realtest.RedisServer
	store *store.Store
	ctx   context.Context

	mu    sync.Mutex
	alive map[string]store.Holder
}

func newCrew(t testing.TB) *crew {
	t.Helper()
	server := realtest.Redis(t)
	s, err := store.New(server.Client(), store.Options{Actor: "crew", TTL: crewTTL, Beat: crewBeat})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &crew{t: t, redis: server, store: s, ctx: ctx, alive: map[string]store.Holder{}}
	ticking := make(chan struct{})
	go func() {
		defer close(ticking)
		c.tick()
	}()
	t.Cleanup(func() { cancel(); <-ticking })
	realtest.Await(t, 10*time.Second, "the first hold does not end", func() bool {
		status, err := s.Overview(ctx)
		return err == nil && status.Hold == nil
	})
	return c
}

// tick reaps and beats until the test is over.
func (c *crew) tick() {
	every := time.NewTicker(crewBeat)
	defer every.Stop()
	var m store.ReapMemory
	var last store.ReapResult
	var heard time.Time
	for {
		if !heard.IsZero() {
			m = store.ReapMemory{Expected: last.Now + time.Since(heard).Milliseconds(), Epoch: last.Epoch, Unsure: true}
		}
		// No test here steps the clock, so a doubt is a slow call: the next
		// reading serves.
		if r, err := c.store.Reap(c.ctx, m); err == nil {
			if r.Doubt {
				r.Epoch = last.Epoch
			}
			last, heard = r, time.Now()
		}
		c.mu.Lock()
		for name, h := range c.alive {
			if _, err := c.store.Heartbeat(c.ctx, h); err != nil && c.ctx.Err() == nil {
				c.t.Errorf("heartbeat of %s: %v", name, err)
			}
		}
		c.mu.Unlock()
		select {
		case <-c.ctx.Done():
			return
		case <-every.C:
		}
	}
}

type offer struct {
	kind, filter string
	capacity     int // -1: no limit
	url          string
}

func (c *crew) host(name string, offers ...offer) {
	c.t.Helper()
	h := store.Holder{Host: name, Incarnation: name + "-1"}
	g := store.Registration{Holder: h, HostID: "id-" + name, TTL: crewTTL, Beat: crewBeat, Version: "1.0", URL: "http://" + name + ":8080"}
	for _, o := range offers {
		capacity := &o.capacity
		if o.capacity < 0 {
			capacity = nil
		}
		g.Offers = append(g.Offers, store.Offer{Type: o.kind, Capacity: capacity, URL: o.url, Class: stream.Class{Filter: o.filter}})
	}
	if _, err := c.store.Register(c.ctx, g); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.alive[name] = h
	c.mu.Unlock()
}

// kill stops the host's heartbeats; its lease lapses.
func (c *crew) kill(name string) {
	c.mu.Lock()
	delete(c.alive, name)
	c.mu.Unlock()
}

// leave ends a host that holds nothing as TERM does.
func (c *crew) leave(name string) {
	c.t.Helper()
	c.mu.Lock()
	h := c.alive[name]
	delete(c.alive, name)
	c.mu.Unlock()
	if held, err := c.store.Leave(c.ctx, h); err != nil || held != 0 {
		c.t.Fatalf("leave of %s: holds %d, %v", name, held, err)
	}
}

// appear announces a stream and makes its record and pending slots.
func (c *crew) appear(key string, vars map[string]string, chain ...string) {
	c.t.Helper()
	if err := c.store.AddStream(c.ctx, key, stream.Announcement{Chain: chain, Vars: vars}); err != nil {
		c.t.Fatal(err)
	}
	c.want(key, true, vars, chain...)
}

// relate makes a stream whose chain says more of its slots than their names.
func (c *crew) relate(key string, items stream.Items, chain ...string) {
	c.t.Helper()
	if err := c.store.AddStream(c.ctx, key, stream.Announcement{Chain: chain, Items: items}); err != nil {
		c.t.Fatal(err)
	}
	c.wantItems(key, true, items, nil, chain...)
}

func (c *crew) want(key string, wanted bool, vars map[string]string, chain ...string) store.Commands {
	c.t.Helper()
	return c.wantItems(key, wanted, nil, vars, chain...)
}

func (c *crew) wantItems(key string, wanted bool, items stream.Items, vars map[string]string, chain ...string) store.Commands {
	c.t.Helper()
	marks, err := c.store.Dirty(c.ctx, 10_000)
	if err != nil {
		c.t.Fatal(err)
	}
	at := slices.IndexFunc(marks, func(m store.Mark) bool { return m.Key == key })
	if at < 0 {
		c.t.Fatalf("%s is not marked", key)
	}
	fields := map[string]string{"source": store.ManualSource}
	for name, value := range vars {
		fields[name] = value
	}
	cmds, err := c.store.Want(c.ctx, store.Want{Mark: marks[at], Wanted: wanted, Chain: chain, Items: items, Fields: fields})
	if err != nil {
		c.t.Fatal(err)
	}
	return cmds
}

// instance is the one that leads a slot.
func (c *crew) instance(key, slot string) string {
	c.t.Helper()
	r, err := c.store.Record(c.ctx, key)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.Slots[slot].Lead
}

// run places a pending slot on the one host, claims it there and says that its
// child was started.
func (c *crew) run(key, slot, host, filter string) store.Reservation {
	c.t.Helper()
	return c.runInstance(key, c.instance(key, slot), slot, host, filter)
}

func (c *crew) runInstance(key, instance, kind, host, filter string) store.Reservation {
	c.t.Helper()
	placed, err := c.store.Place(c.ctx, []store.Request{{Key: key, Instance: instance, Type: kind,
		Candidates: []store.Candidate{{Class: stream.Class{Filter: filter}.ID(), Host: host}}}})
	if err != nil || placed[0].Outcome != store.Placed {
		c.t.Fatalf("place %s %s on %s: %+v, %v", key, instance, host, placed, err)
	}
	if err := c.store.Claim(c.ctx, placed[0].Reservation, host+"-1"); err != nil {
		c.t.Fatal(err)
	}
	c.report(placed[0].Reservation, "started", "", map[string]string{"phase": ""})
	return placed[0].Reservation
}

func (c *crew) publish(v store.Reservation, vars map[string]string) {
	c.t.Helper()
	if _, err := c.store.Publish(c.ctx, v, v.Host+"-1", vars); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crew) report(v store.Reservation, event, why string, fields map[string]string) {
	c.t.Helper()
	if err := c.store.Report(c.ctx, v, v.Host+"-1", store.Observation{Event: event, Reason: stream.ParseReason(why), Fields: fields}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crew) release(v store.Reservation, reason string) {
	c.t.Helper()
	if _, err := c.store.Release(c.ctx, v, v.Host+"-1", store.Release{Reason: stream.ParseReason(reason)}); err != nil {
		c.t.Fatal(err)
	}
}

// end takes a stream back and releases what still runs of it.
func (c *crew) end(key string) {
	c.t.Helper()
	if _, err := c.store.Retract(c.ctx, store.ManualSource, key); err != nil {
		c.t.Fatal(err)
	}
	for _, v := range c.want(key, false, nil).Stops {
		c.release(v, "the stream is gone")
	}
}

// poll plays a poller of a source.
func (c *crew) poll(source string, info store.SourceInfo) {
	c.t.Helper()
	if _, err := c.store.Announce(c.ctx, store.Poll{Source: source, Poller: "crew", Info: info, GoneAfter: time.Minute}); err != nil {
		c.t.Fatal(err)
	}
}

// mover notes what it is asked, and does it by hand; pins are the store's.
type mover struct {
	store *store.Store
	mu    sync.Mutex
	asked []string
	do    func(key, slot, to string)
}

func (m *mover) note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, text)
}

func (m *mover) has(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.asked, text)
}

func (m *mover) Move(_ context.Context, key, slot, to string) error {
	m.note(strings.TrimSpace("move " + key + " " + slot + " " + to))
	if m.do != nil {
		m.do(key, slot, to)
	}
	return nil
}

func (m *mover) Pin(ctx context.Context, key, slot, to string) (bool, error) {
	m.note("pin " + key + " " + slot + " " + to)
	_, moving, err := m.store.Pin(ctx, key, slot, to, time.Minute)
	return moving, err
}

func (m *mover) Restart(_ context.Context, key, slot string, stale bool) error {
	m.note(fmt.Sprintf("restart %s %s %v", key, slot, stale))
	return nil
}

// serve runs a server until the test ends or stop is called, at a fixed
// address if one is given.
func serve(t testing.TB, o Options, address string) (base string, s *Server, stop func()) {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.Log = zerolog.Nop()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, address)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), s, stop
}

// nextMoment waits until what comes is younger in the store than what was.
func (c *crew) nextMoment() {
	c.t.Helper()
	was, err := c.store.Now(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	realtest.Await(c.t, 5*time.Second, "the store's clock stands still", func() bool {
		now, err := c.store.Now(c.ctx)
		return err == nil && now > was
	})
}

// note writes down why a pending slot waits; reason is as the store has it.
func (c *crew) note(key, slot, reason string) {
	c.t.Helper()
	if _, err := c.store.Note(c.ctx, store.Noted{Key: key, Instance: c.instance(key, slot), Reason: stream.ParseReason(reason)}); err != nil {
		c.t.Fatal(err)
	}
}
