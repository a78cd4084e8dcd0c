package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// limitScript is the least that a reservation could do: find, verify, write,
// reindex, on keys that are known.
const limitScript = `
local load, service = 'limit:load', 'limit:service'
local host = redis.call('ZRANGEBYSCORE', load, '-inf', '1000000', 'LIMIT', 0, 1)[1]
local v = redis.call('HMGET', service, 'capacity', 'used', 'state')
redis.call('HSET', service, 'used', (tonumber(v[2]) + 1) % 1000)
redis.call('ZADD', load, 1000, host)
return { 'ok' }`

// batch is how many calls go in one round trip.
const batch = 16

// field is a store with hosts and with streams that wait for them.
type field struct {
	srv     *server
	st      *store.Store
	hosts   []store.Holder
	streams []string
	limit   string // SHA of limitScript
	memory  store.ReapMemory
	told    time.Time
	held    []store.Reservation
}

func newField(ctx context.Context, srv *server, hosts, streams int) (*field, error) {
	f, err := newEmptyField(ctx, srv)
	if err != nil {
		return nil, err
	}
	if err := f.register(ctx, hosts, "enc"); err != nil {
		return nil, err
	}
	if err := f.want(ctx, streams, "enc"); err != nil {
		return nil, err
	}
	if f.limit, err = srv.client.ScriptLoad(ctx, limitScript).Result(); err != nil {
		return nil, err
	}
	if err := srv.client.HSet(ctx, "limit:service", "capacity", 1000, "used", 1, "state", "up").Err(); err != nil {
		return nil, err
	}
	for i := range hosts {
		if err := srv.client.ZAdd(ctx, "limit:load", redis.Z{Score: float64(1000 + i), Member: fmt.Sprintf("h%d", i)}).Err(); err != nil {
			return nil, err
		}
	}
	return f, await(ctx, f)
}

// newEmptyField empties the server and passes the first hold.
func newEmptyField(ctx context.Context, srv *server) (*field, error) {
	if err := srv.client.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	if err := srv.client.ScriptFlush(ctx).Err(); err != nil {
		return nil, err
	}
	st, err := store.New(srv.client, store.Options{Actor: "bench", TTL: time.Second, Beat: 50 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	f := &field{srv: srv, st: st}
	return f, await(ctx, f)
}

// tick is the reaper's; it tells whether the store is held.
func (f *field) tick(ctx context.Context) (held bool, err error) {
	m := f.memory
	if !f.told.IsZero() {
		m.Expected += time.Since(f.told).Milliseconds()
	}
	r, err := f.st.Reap(ctx, m)
	if err != nil {
		return false, err
	}
	f.memory, f.told = store.ReapMemory{Expected: r.Now, Epoch: r.Epoch}, time.Now()
	return r.Held, nil
}

// register has hosts offer types, each with room for a thousand slots.
func (f *field) register(ctx context.Context, hosts int, types ...string) error {
	capacity := 1000
	for i := range hosts {
		h := store.Holder{Host: fmt.Sprintf("h%d", i), Incarnation: fmt.Sprintf("h%d-1", i)}
		g := store.Registration{Holder: h, HostID: h.Host, TTL: 10 * time.Second, Beat: 2 * time.Second, Version: "bench"}
		// Leases outlast the run, as nobody beats.
		g.TTL = time.Hour
		for _, t := range types {
			g.Offers = append(g.Offers, store.Offer{Type: t, Capacity: &capacity, URL: "http://" + h.Host + ":7999"})
		}
		if _, err := f.st.Register(ctx, g); err != nil {
			return err
		}
		f.hosts = append(f.hosts, h)
		if i%500 == 499 {
			if _, err := f.tick(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// want announces streams and wants their chain.
func (f *field) want(ctx context.Context, n int, chain ...string) error {
	a := stream.Announcement{Chain: chain, Source: map[string]string{"url": "http://ingest.example:8000"}}
	poll := store.Poll{Source: "ingest", Poller: "bench", Upsert: map[string]string{}, GoneAfter: time.Minute}
	for i := range n {
		key := fmt.Sprintf("stream%05d", i)
		f.streams = append(f.streams, key)
		poll.Upsert[key] = a.Encode()
	}
	if _, err := f.st.Announce(ctx, poll); err != nil {
		return err
	}
	for {
		if _, err := f.tick(ctx); err != nil {
			return err
		}
		marks, err := f.st.Dirty(ctx, 500)
		if err != nil || len(marks) == 0 {
			return err
		}
		for _, m := range marks {
			w := store.Want{Mark: m, Wanted: true, Chain: chain, Fields: map[string]string{"source": "ingest", "source:url": a.Source["url"]}}
			if _, err := f.st.Want(ctx, w); err != nil {
				return err
			}
		}
	}
}

// runAll registers hosts, and places and claims a slot of each type for each
// stream.
func (f *field) runAll(ctx context.Context, hosts, streams int, types []string) error {
	if err := f.register(ctx, hosts, types...); err != nil {
		return err
	}
	if err := f.want(ctx, streams, types...); err != nil {
		return err
	}
	for _, t := range types {
		f.held = nil
		for keys := range slices.Chunk(f.streams, 1000) {
			if _, err := f.tick(ctx); err != nil { // so that no hold begins in between
				return err
			}
			if err := f.place(ctx, keys, t); err != nil {
				return fmt.Errorf("place: %w", err)
			}
		}
		for held := range slices.Chunk(f.held, 1000) {
			if _, err := f.tick(ctx); err != nil {
				return err
			}
			if err := f.claim(ctx, held); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure gives the server's µs a call of one operation. A round goes place,
// claim, heartbeat, release, so that it ends as it began.
func (f *field) measure(ctx context.Context, operation string) (float64, error) {
	if _, err := f.tick(ctx); err != nil { // so that no hold begins in between
		return 0, err
	}
	return f.srv.cost(ctx, func() error {
		switch operation {
		case "limit":
			return f.runLimit(ctx)
		case "place":
			return f.place(ctx, f.streams, "enc")
		case "claim":
			return f.claim(ctx, f.held)
		case "heartbeat":
			for i := range f.streams {
				if _, err := f.st.Heartbeat(ctx, f.hosts[i%len(f.hosts)]); err != nil {
					return err
				}
			}
		case "release":
			for _, v := range f.held {
				if _, err := f.st.Release(ctx, v, v.Host+"-1", store.Release{Reason: stream.Because(stream.CodeUnwanted)}); err != nil {
					return err
				}
			}
			f.held = nil
		case "reap":
			for range 100 {
				if _, err := f.tick(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (f *field) runLimit(ctx context.Context) error {
	for range (len(f.streams) + batch - 1) / batch {
		pipe := f.srv.client.Pipeline()
		for range batch {
			pipe.EvalSha(ctx, f.limit, nil)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) place(ctx context.Context, keys []string, slot string) error {
	candidates := []store.Candidate{{Class: stream.Class{}.ID()}}
	for len(keys) > 0 {
		n := min(batch, len(keys))
		requests := make([]store.Request, n)
		for i, key := range keys[:n] {
			requests[i] = store.Request{Key: key, Instance: stream.Numbered(slot, 1).String(), Type: slot, Candidates: candidates}
		}
		got, err := f.st.Place(ctx, requests)
		if err != nil {
			return err
		}
		for _, v := range got {
			if v.Outcome != store.Placed {
				return fmt.Errorf("%s/%s was not placed: outcome %d %s", v.Key, v.Instance, v.Outcome, v.Reason)
			}
			f.held = append(f.held, v.Reservation)
		}
		keys = keys[n:]
	}
	return nil
}

func (f *field) claim(ctx context.Context, held []store.Reservation) error {
	for _, v := range held {
		if err := f.st.Claim(ctx, v, v.Host+"-1"); err != nil {
			return err
		}
	}
	return nil
}
