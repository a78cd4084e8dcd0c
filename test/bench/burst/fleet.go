package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// fleet is the simulated hosts: a few claimers that speak for all of them.
type fleet struct {
	st        *store.Store
	n         size
	todo      chan store.Reservation
	cpuBefore float64

	mu      sync.Mutex
	claimed map[string]time.Time // key|slot → when
	byHost  map[string]int
	failed  error
	all     chan struct{} // closed when everything is claimed, or failed is set
}

func typeName(i int) string { return "type" + strconv.Itoa(i) }

// newFleet registers the hosts, with room for all and a tenth to spare.
func newFleet(ctx context.Context, st *store.Store, client redis.UniversalClient, n size) (*fleet, error) {
	f := &fleet{
		st: st, n: n, todo: make(chan store.Reservation, n.streams*n.slots),
		claimed: map[string]time.Time{}, byHost: map[string]int{}, all: make(chan struct{}),
	}
	capacity := n.streams*11/10/n.hosts + 1
	var offers []store.Offer
	for i := range n.slots {
		o := store.Offer{Type: typeName(i), Capacity: &capacity}
		if n.chained && i > 0 {
			o.Class = stream.Class{Needs: typeName(i-1) + ":url"}
		}
		offers = append(offers, o)
	}
	for i := range n.hosts {
		if _, err := st.Register(ctx, store.Registration{
			Holder: holder(hostName(i)), HostID: hostName(i), TTL: time.Hour, Beat: time.Second, Version: "burst", Offers: offers,
		}); err != nil {
			return nil, err
		}
	}
	var err error
	if f.cpuBefore, err = redisCPU(ctx, client); err != nil {
		return nil, err
	}
	for range n.claimers {
		go f.claim(ctx)
	}
	return f, nil
}

func hostName(i int) string { return fmt.Sprintf("host%04d", i) }

func holder(host string) store.Holder { return store.Holder{Host: host, Incarnation: host + "-1"} }

// claim takes up what the hosts are told to start, until ctx ends.
func (f *fleet) claim(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-f.todo:
			err := f.st.Claim(ctx, v, holder(v.Host).Incarnation)
			if err == nil && f.n.chained {
				_, err = f.st.Publish(ctx, v, holder(v.Host).Incarnation, map[string]string{"url": "http://" + v.Host})
			}
			f.done(v, err)
		}
	}
}

func (f *fleet) done(v store.Reservation, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := v.Key + "|" + v.Instance
	if _, twice := f.claimed[name]; twice || f.failed != nil || errors.Is(err, store.ErrStale) {
		return // sent again, and claimed by the first sending
	}
	if err != nil {
		f.failed = err
		close(f.all)
		return
	}
	f.claimed[name] = time.Now()
	f.byHost[v.Host]++
	if len(f.claimed) == f.n.streams*f.n.slots {
		close(f.all)
	}
}

func (f *fleet) wait(ctx context.Context) error {
	select {
	case <-f.all:
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return f.failed
	}
	if want := f.n.streams * f.n.slots; len(f.claimed) < want {
		return fmt.Errorf("%d of %d slots claimed in time", len(f.claimed), want)
	}
	return nil
}

// times are the times from began to each claim, sorted.
func (f *fleet) times(began time.Time) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]time.Duration, 0, len(f.claimed))
	for _, at := range f.claimed {
		out = append(out, at.Sub(began))
	}
	slices.Sort(out)
	return out
}

// spread is the fewest and the most slots of a host.
func (f *fleet) spread() (least, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.n.hosts {
		n := f.byHost[hostName(i)]
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	return least, most
}

// commander enqueues as in production and tells the simulated hosts.
type commander struct {
	*queue.Client
	fleet *fleet
}

func (c *commander) SlotCommand(ctx context.Context, verb queue.Verb, s queue.Reservation) error {
	if err := c.Client.SlotCommand(ctx, verb, s); err != nil {
		return err
	}
	if verb == queue.Start {
		select {
		case c.fleet.todo <- store.Reservation{Key: s.Key, Instance: s.Instance, Type: s.Type, Host: s.Host, Token: s.Token}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// announce tells the store of all streams in one poll.
func announce(ctx context.Context, st *store.Store, n size) error {
	a := stream.Announcement{Source: map[string]string{"url": "http://ingest:8000"}}
	for i := range n.slots {
		a.Chain = append(a.Chain, typeName(i))
	}
	text := a.Encode()
	p := store.Poll{Source: "ingest", Poller: "burst", Upsert: map[string]string{}, GoneAfter: time.Minute, Info: store.SourceInfo{Type: "icecast", URL: "http://ingest:8000"}}
	for i := range n.streams {
		p.Upsert[fmt.Sprintf("s%05d", i)] = text
	}
	_, err := st.Announce(ctx, p)
	return err
}

// redisCPU is what the server has used, in seconds.
func redisCPU(ctx context.Context, client redis.UniversalClient) (float64, error) {
	info, err := client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("INFO cpu: %w", err)
			}
			total += seconds
		}
	}
	return total, nil
}
