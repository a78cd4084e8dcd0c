package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// open gives a store on a real Redis of its own whose clock the test owns.
func open(t *testing.T) (*store.Store, *clock) {
	t.Helper()
	client := realtest.Redis(t).Client()
	c := &clock{t: t, client: client, us: 1_800_000_000_000_000}
	c.advance(0)
	s, err := store.New(client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

type clock struct {
	t      *testing.T
	client redis.UniversalClient
	us     int64
}

func (c *clock) advance(d time.Duration) {
	c.t.Helper()
	c.us += d.Microseconds()
	if err := c.client.Set(context.Background(), "test:clock", c.us, 0).Err(); err != nil {
		c.t.Fatal(err)
	}
}

// settle ticks the reaper until the first hold is over.
func settle(t *testing.T, s *store.Store, c *clock) {
	t.Helper()
	var m store.ReapMemory
	for range 60 {
		r, err := s.Reap(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Held {
			return
		}
		c.advance(500 * time.Millisecond)
		m = store.ReapMemory{Expected: r.Now + 500, Epoch: r.Epoch}
	}
	t.Fatal("the first hold never ends")
}

func register(t *testing.T, s *store.Store, host string, offers ...store.Offer) store.Holder {
	t.Helper()
	h := store.Holder{Host: host, Incarnation: host + "-1"}
	if _, err := s.Register(t.Context(), store.Registration{
		Holder: h, HostID: "id-" + host, TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "test", Offers: offers,
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

func limit(n int) *int { return &n }

// want announces a stream by hand and makes its record so.
func want(t *testing.T, s *store.Store, key string, chain ...string) {
	t.Helper()
	if err := s.AddStream(t.Context(), key, stream.Announcement{Chain: chain}); err != nil {
		t.Fatal(err)
	}
	wantMarked(t, s, key, true, chain...)
}

func wantMarked(t *testing.T, s *store.Store, key string, wanted bool, chain ...string) store.Commands {
	t.Helper()
	marks, err := s.Dirty(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range marks {
		if m.Key == key {
			cmds, err := s.Want(t.Context(), store.Want{Mark: m, Wanted: wanted, Chain: chain, Fields: map[string]string{"source": "manual"}})
			if err != nil {
				t.Fatal(err)
			}
			return cmds
		}
	}
	t.Fatalf("%s is not marked: %v", key, marks)
	return store.Commands{}
}

func TestSlotLivesFromWantedToGone(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ctx := t.Context()
	settle(t, s, c)
	h := register(t, s, "speedy", store.Offer{Type: "transcode", Capacity: limit(1)})
	want(t, s, "s1", "transcode")

	class := stream.Class{}
	placed, err := s.Place(ctx, []store.Request{{Key: "s1", Instance: "transcode.1", Type: "transcode", Candidates: []store.Candidate{{Class: class.ID()}}}})
	if err != nil || placed[0].Outcome != store.Placed || placed[0].Host != "speedy" {
		t.Fatalf("place: %+v, %v", placed, err)
	}
	v := placed[0].Reservation
	due, _, err := s.Outbox(ctx, 3*time.Second, 20*time.Second, 10)
	if err != nil || len(due) != 1 || due[0].Reservation != v || due[0].Sending != 1 {
		t.Fatalf("outbox: %+v, %v; want the start of %+v", due, err, v)
	}
	if err := s.Claim(ctx, v, h.Incarnation); err != nil {
		t.Fatal(err)
	}
	if err := s.Claim(ctx, v, "another"); !errors.Is(err, store.ErrStale) {
		t.Fatalf("a claim by another life of the host: %v; want ErrStale", err)
	}
	if _, err := s.Publish(ctx, v, h.Incarnation, map[string]string{"url": "http://x"}); err != nil {
		t.Fatal(err)
	}
	status, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	instance := status.Streams[0].Slots[0]
	if instance.State != stream.Running || instance.Vars["url"] != "http://x" || status.Hosts[0].Services[0].Used != 1 {
		t.Fatalf("status: %+v", status)
	}

	if _, err := s.Retract(ctx, store.ManualSource, "s1"); err != nil {
		t.Fatal(err)
	}
	cmds := wantMarked(t, s, "s1", false)
	if len(cmds.Stops) != 1 || cmds.Stops[0] != v {
		t.Fatalf("stops: %+v; want %+v", cmds.Stops, v)
	}
	done, err := s.Release(ctx, v, h.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})
	if err != nil || done != store.Ended {
		t.Fatalf("release: %v, %v", done, err)
	}
	if _, err := s.Release(ctx, v, h.Incarnation, store.Release{}); !errors.Is(err, store.ErrStale) {
		t.Fatalf("a second release: %v; want ErrStale", err)
	}
	hosts, err := s.Hosts(ctx)
	if err != nil || hosts[0].Services[0].Used != 0 {
		t.Fatalf("hosts: %+v, %v; want nothing used", hosts, err)
	}
}

func TestLapsedHostLosesItsSlotsAndAnotherGetsThem(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ctx := t.Context()
	settle(t, s, c)
	register(t, s, "a", store.Offer{Type: "record", Capacity: limit(1)})
	b := register(t, s, "b", store.Offer{Type: "record", Capacity: limit(1)})
	want(t, s, "s1", "record")
	request := []store.Request{{Key: "s1", Instance: "record.1", Type: "record", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}}
	placed, err := s.Place(ctx, request)
	if err != nil || placed[0].Host != "a" {
		t.Fatalf("place: %+v, %v; want a, the first by name", placed, err)
	}
	var m store.ReapMemory
	for range 22 { // 11 s, b beating
		c.advance(500 * time.Millisecond)
		if _, err := s.Heartbeat(ctx, b); err != nil {
			t.Fatal(err)
		}
		r, err := s.Reap(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		m = store.ReapMemory{Expected: r.Now + 500, Epoch: r.Epoch}
	}
	placed, err = s.Place(ctx, request)
	if err != nil || placed[0].Outcome != store.Placed || placed[0].Host != "b" {
		t.Fatalf("place after the reap: %+v, %v; want b", placed, err)
	}
}
