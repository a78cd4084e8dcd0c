package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/queue"
	"stream-api/scheduler"
	"stream-api/store"
	"stream-api/stream"
)

// Those of a host that sets nothing.
const (
	ttl  = 10 * time.Second
	beat = 2 * time.Second
)

// host is a simulated one. What it holds outlives its process, as children do.
type host struct {
	f    *fleet
	link link
	name string

	mu   sync.Mutex
	held map[string]store.Reservation // by token

	// Of one life.
	incarnation string
	life        int
	rev         int64
	server      *queue.Server
	cancel      context.CancelFunc
	done        sync.WaitGroup
}

// begin starts a life, the successor of the one before.
func (h *host) begin() error {
	replaces := h.incarnation
	h.life++
	h.incarnation = fmt.Sprintf("%d-%d", time.Now().UnixMilli(), h.life)
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	types := make([]string, h.f.types)
	for i := range types {
		types[i] = typeName(i)
	}
	var err error
	h.server, err = queue.NewSlotServer(queue.Options{Redis: h.link.client, Log: zerolog.Nop(), StopTimeout: beat}, h.name, types, h.command)
	if err != nil {
		return err
	}
	if err := h.register(ctx, replaces); err != nil {
		return err
	}
	if err := h.server.Start(); err != nil {
		return err
	}
	commands, err := queue.NewClient(h.link.client, "")
	if err != nil {
		return err
	}
	s := scheduler.New(h.link.st, commands, scheduler.Options{ID: "sim/" + h.name, Log: zerolog.Nop()})
	h.done.Go(func() { _ = s.Run(ctx) }) // nil at the end of ctx, and only then
	h.done.Go(func() { h.beats(ctx) })
	return nil
}

// end ends the life as SIGKILL does: what it held goes on, and nobody is told.
func (h *host) end() error {
	h.cancel()
	h.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return h.server.Stop(ctx)
}

// die is end of the whole machine.
func (h *host) die() error {
	err := h.end()
	h.mu.Lock()
	h.held = map[string]store.Reservation{}
	h.mu.Unlock()
	return err
}

func (h *host) register(ctx context.Context, replaces string) error {
	offers := make([]store.Offer, h.f.types)
	for i := range offers {
		offers[i] = store.Offer{Type: typeName(i), Capacity: &h.f.capacity}
	}
	_, err := h.link.heart.Register(ctx, store.Registration{
		Holder: h.holder(), Replaces: replaces, HostID: h.name, TTL: ttl, Beat: beat, Version: "fleet", Offers: offers,
	})
	return err
}

func (h *host) holder() store.Holder { return store.Holder{Host: h.name, Incarnation: h.incarnation} }

// beats renews the lease, and looks when the store says that something changed.
func (h *host) beats(ctx context.Context) {
	timer := time.NewTimer(rand.N(beat))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(beat)
		limited, cancel := context.WithTimeout(ctx, beat)
		b, err := h.link.heart.Heartbeat(limited, h.holder())
		if errors.Is(err, store.ErrUnknownHost) {
			if err = h.register(limited, ""); err == nil {
				h.f.registered.Add(1)
				h.server.Wake()
				h.look(ctx)
			}
		} else if err == nil && b.Rev != h.rev {
			h.rev = b.Rev
			h.server.Changed()
			h.look(ctx)
		}
		cancel()
	}
}

func (h *host) command(ctx context.Context, c queue.Command) (string, error) {
	if c.Verb != queue.Start {
		h.look(ctx)
		return "noted", nil
	}
	h.claim(ctx, store.Reservation{Key: c.Key, Instance: c.Reservation.Instance, Type: c.Type, Host: c.Host, Token: c.Token})
	return "claimed", nil
}

// look compares what the store says with what is held, as a runner does.
func (h *host) look(ctx context.Context) {
	h.mu.Lock()
	have := make(map[string]store.Reservation, len(h.held))
	for token, v := range h.held {
		have[token] = v
	}
	h.mu.Unlock()
	records, err := h.link.st.SlotsOf(ctx, h.name)
	if err != nil {
		return // the next beat, or hint, tries again
	}
	for _, r := range records {
		_, held := have[r.Token]
		delete(have, r.Token)
		switch {
		case r.State == stream.Assigned:
			h.claim(ctx, r.Reservation)
		case r.State == stream.Stopping, r.State == stream.Running && !held && !h.holds(r.Token):
			h.release(ctx, r.Reservation)
		}
	}
	for _, v := range have {
		h.assert(ctx, v)
	}
}

func (h *host) holds(token string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.held[token]
	return ok
}

func (h *host) claim(ctx context.Context, v store.Reservation) {
	if h.holds(v.Token) || h.link.st.Claim(ctx, v, h.incarnation) != nil {
		return // what is stale is dropped, what is held back is sent again
	}
	now := time.Now()
	h.mu.Lock()
	_, twice := h.held[v.Token]
	h.held[v.Token] = v
	h.mu.Unlock()
	if twice {
		return
	}
	if placed, _, ok := strings.Cut(v.Token, "-"); ok {
		if us, err := strconv.ParseInt(placed, 10, 64); err == nil {
			h.f.claimed(now.Sub(time.UnixMicro(us)))
		}
	}
	// What is not reported is only not seen.
	_ = h.link.st.Report(ctx, v, h.incarnation, store.Observation{Fields: map[string]string{"up": "1", "phase": ""}})
}

func (h *host) release(ctx context.Context, v store.Reservation) {
	h.mu.Lock()
	_, held := h.held[v.Token]
	delete(h.held, v.Token)
	h.mu.Unlock()
	if held {
		h.f.stopped.Add(1)
	}
	// One that is not heard is found again by the next look.
	_, _ = h.link.st.Release(ctx, v, h.incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})
}

// assert tells a store that does not list a slot of it.
func (h *host) assert(ctx context.Context, v store.Reservation) {
	a, err := h.link.st.Assert(ctx, v, h.incarnation, store.Copy{Source: "in", Chain: h.f.chain()})
	if err != nil || a.Keep {
		return
	}
	h.mu.Lock()
	delete(h.held, v.Token)
	h.mu.Unlock()
	h.f.stopped.Add(1)
}

func typeName(i int) string { return "svc" + strconv.Itoa(i) }
