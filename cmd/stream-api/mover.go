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

func (m mover) Move(ctx context.Context, key, slot, to string) error {
	_, err := m.store.Move(ctx, key, slot, to, moveLimit)
	return err
}

func (m mover) Pin(ctx context.Context, key, slot, to string) (bool, error) {
	_, moving, err := m.store.Pin(ctx, key, slot, to, moveLimit)
	return moving, err
}

func (m mover) Restart(ctx context.Context, key, slot string, stale bool) error {
	_, err := restartSlots(ctx, m.store, key, slot, stale)
	return err
}

// restartSlots asks for the restart of one slot, or with an empty slot of all
// that run; it returns how many were asked.
func restartSlots(ctx context.Context, s *store.Store, key, slot string, stale bool) (int, error) {
	r, err := s.Record(ctx, key)
	if err != nil {
		return 0, err
	}
	var slots []string
	if v, ok := r.Find(slot); ok {
		slots = append(slots, v.Slot)
	} else if slot != "" {
		return 0, fmt.Errorf("%s of %s: %w", slot, key, store.ErrNotFound)
	}
	for name, v := range r.Instances {
		if slot == "" && v.State == stream.Running {
			slots = append(slots, name)
		}
	}
	n := 0
	for _, name := range slots {
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
