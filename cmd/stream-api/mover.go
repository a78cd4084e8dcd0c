package main

import (
	"context"
	"fmt"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// moveLimit is how long a move that was asked for is tried.
const moveLimit = time.Minute

// mover carries out what the page asks for; it implements web.Mover.
type mover struct{ store *store.Store }

func (m mover) Move(ctx context.Context, key, name, to string) error {
	if to != "" {
		if err := mayTake(ctx, m.store, key, name, to); err != nil {
			return err
		}
	}
	_, err := m.store.Move(ctx, key, name, to, moveLimit)
	return err
}

func (m mover) Pin(ctx context.Context, key, name, to string) (bool, error) {
	if err := mayTake(ctx, m.store, key, name, to); err != nil {
		return false, err
	}
	_, moving, err := m.store.Pin(ctx, key, name, to, moveLimit)
	return moving, err
}

func (m mover) Restart(ctx context.Context, key, name string, stale bool) error {
	_, err := restartSlots(ctx, m.store, key, name, stale)
	return err
}

// restartSlots asks for the restart of one instance, or of the one that leads the
// slot of that name, or if none is wanted of all that run; it returns how many
// were asked.
func restartSlots(ctx context.Context, s *store.Store, key, wanted string, stale bool) (int, error) {
	r, err := s.Record(ctx, key)
	if err != nil {
		return 0, err
	}
	var instances []string
	if v, ok := r.Find(wanted); ok {
		instances = append(instances, v.Instance)
	} else if wanted != "" {
		return 0, fmt.Errorf("%s of %s: %w", wanted, key, store.ErrNotFound)
	}
	for name, v := range r.Instances {
		if wanted == "" && v.State == stream.Running {
			instances = append(instances, name)
		}
	}
	n := 0
	for _, name := range instances {
		asked, err := s.Restart(ctx, key, name, stale)
		if err != nil {
			return n, fmt.Errorf("restart: %w", err)
		}
		if asked {
			n++
		}
	}
	return n, nil
}
