package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// fleet is the simulated hosts and what is counted of them.
type fleet struct {
	st         *store.Store // the bench's own
	links      []link
	types      int
	capacity   int
	hosts      []*host
	stopped    atomic.Int64 // slots that a host was made to end
	registered atomic.Int64 // registrations after the first

	mu    sync.Mutex
	waits []time.Duration // from placed to claimed
}

// link is the connections that a few dozen hosts share. As in a real host no
// crowd of other calls stands before a heartbeat.
type link struct {
	client    redis.UniversalClient
	st, heart *store.Store
}

// hostsALink is how many hosts share a link.
const hostsALink = 50

// linkOf is that of the i-th host.
func (f *fleet) linkOf(i int, dial func() redis.UniversalClient) (link, error) {
	for len(f.links) <= i/hostsALink {
		l := link{client: dial()}
		var err error
		if l.st, err = store.New(l.client, store.Options{Actor: "fleet"}); err != nil {
			return link{}, err
		}
		if l.heart, err = store.New(dial(), store.Options{Actor: "fleet"}); err != nil {
			return link{}, err
		}
		f.links = append(f.links, l)
	}
	return f.links[i/hostsALink], nil
}

func (f *fleet) chain() []string {
	chain := make([]string, f.types)
	for i := range chain {
		chain[i] = typeName(i)
	}
	return chain
}

func (f *fleet) claimed(after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waits = append(f.waits, after)
}

// taken gives what was claimed since it was last asked.
func (f *fleet) taken() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.waits
	f.waits = nil
	return out
}

// each does something for hosts, several at once.
func each(hosts []*host, at int, do func(*host) error) error {
	work, failed := make(chan *host), make(chan error, len(hosts))
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for h := range work {
				if err := do(h); err != nil {
					failed <- fmt.Errorf("host %s: %w", h.name, err)
				}
			}
		})
	}
	for _, h := range hosts {
		work <- h
	}
	close(work)
	all.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// grow starts hosts until there are n.
func (f *fleet) grow(n int, dial func() redis.UniversalClient) error {
	var fresh []*host
	for len(f.hosts) < n {
		l, err := f.linkOf(len(f.hosts), dial)
		if err != nil {
			return err
		}
		h := &host{f: f, link: l, name: fmt.Sprintf("sim%05d", len(f.hosts)), held: map[string]store.Reservation{}}
		f.hosts, fresh = append(f.hosts, h), append(fresh, h)
	}
	return each(fresh, 8, (*host).begin)
}

func (f *fleet) holds() (slots int) {
	for _, h := range f.hosts {
		h.mu.Lock()
		slots += len(h.held)
		h.mu.Unlock()
	}
	return slots
}

// await polls until ok, and gives the time that took.
func await(ctx context.Context, limit time.Duration, what string, ok func() bool) (time.Duration, error) {
	began := time.Now()
	for !ok() {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Since(began) > limit {
			return 0, fmt.Errorf("after %v: %s", limit, what)
		}
	}
	return time.Since(began), nil
}
