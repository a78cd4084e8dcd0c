package scheduler

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// drain has the next slot of a drained host moved, one at a time. After the
// drain's deadline what is left is stopped there, room elsewhere or not.
func (s *Scheduler) drain(ctx context.Context, h store.HostRecord, moves []store.Move, now int64) error {
	if h.State != stream.Draining {
		return nil // down, or taken back meanwhile
	}
	overdue := h.DrainUntil != 0 && now >= h.DrainUntil
	if !overdue && slices.ContainsFunc(moves, func(m store.Move) bool { return m.Drain && m.Host == h.Host }) {
		return nil
	}
	held, err := s.store.SlotsOf(ctx, h.Host)
	if err != nil {
		return err
	}
	movable := drainOrder(held, s.tried)
	if overdue {
		return s.evict(ctx, movable)
	}
	if len(movable) == 0 {
		return nil
	}
	next := movable[0]
	if time.Since(s.tried[next.Token]) < drainPatience {
		return nil // all were tried a moment ago
	}
	if s.tried == nil || len(s.tried) > 10_000 {
		s.tried = map[string]time.Time{}
	}
	s.tried[next.Token] = time.Now()
	_, err = s.store.MoveForDrain(ctx, next.Key, next.Slot, s.o.MoveLimit)
	var refused *store.MoveError
	if errors.As(err, &refused) || errors.Is(err, store.ErrNotFound) {
		return nil // another scheduler was quicker, or it ended
	}
	return err
}

// drainOrder is the order in which a drain moves slots: those that were never
// tried first, then those whose try is longest ago; by stream and slot.
func drainOrder(held []store.SlotRecord, tried map[string]time.Time) []store.SlotRecord {
	var out []store.SlotRecord
	for _, v := range held {
		if v.State == stream.Running && v.Move == "" && v.Slot == stream.OwnSlot(v.Slot) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b store.SlotRecord) int {
		return cmp.Or(tried[a.Token].Compare(tried[b.Token]), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Slot, b.Slot))
	})
	return out
}

// evict has all of these slots stopped and given back, room elsewhere or not.
func (s *Scheduler) evict(ctx context.Context, slots []store.SlotRecord) error {
	for _, v := range slots {
		m := store.Move{Reservation: v.Reservation, Target: "*"}
		_, err := s.store.Yield(ctx, m, true, nil)
		switch {
		case errors.Is(err, store.ErrStale):
			continue
		case err != nil:
			return err
		}
		s.tellLater(queue.Update, []store.Reservation{v.Reservation})
	}
	return nil
}
