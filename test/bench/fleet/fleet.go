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
	client     redis.UniversalClient // the hosts'
	st         *store.Store
	types      int
	capacity   int
	hosts      []*host
	stopped    atomic.Int64 // slots that a host was made to end
	registered atomic.Int64 // registrations after the first

	mu    sync.Mutex
	waits []time.Duration // from placed to claimed
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
func (f *fleet) grow(n int) error {
	var fresh []*host
	for len(f.hosts) < n {
		h := &host{f: f, name: fmt.Sprintf("sim%05d", len(f.hosts)), held: map[string]store.Reservation{}}
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
