package scheduler

import (
	"context"
	"sync"
	"time"

	"stream-api/store"
)

// hostView is a look at all hosts and services, at most a second old. Reasons
// are written from it, and what sidecars wish is put in order; who has room is decided
// in the store.
type hostView struct {
	store *store.Store

	mu    sync.Mutex
	hosts []store.HostRecord
	when  time.Time
}

func (v *hostView) get(ctx context.Context) ([]store.HostRecord, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hosts != nil && time.Since(v.when) < time.Second {
		return v.hosts, nil
	}
	hosts, err := v.store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	v.hosts, v.when = hosts, time.Now()
	return hosts, nil
}
