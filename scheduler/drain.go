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

// drain has the next slots of a drained host moved, a few at a time: as one of
// them is up elsewhere, the next one's turn comes. After the drain's deadline what
// is left is stopped there, room elsewhere or not.
func (s *Scheduler) drain(ctx context.Context, h store.HostRecord, moves []store.Move, now int64) error {
	if h.State != stream.Draining {
		return nil // down, or taken back meanwhile
	}
	overdue := h.DrainUntil != 0 && now >= h.DrainUntil
	free := h.AtATime
	for _, m := range moves {
		if m.Drain && m.Host == h.Host {
			free--
		}
	}
	if !overdue && free <= 0 {
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
	for _, next := range movable {
		if free <= 0 || time.Since(s.tried[next.Token]) < drainPatience {
			return nil // the rest was tried a moment ago
		}
		began, err := s.drainNext(ctx, h, next)
		if err != nil {
			return err
		}
		if began {
			free--
		}
	}
	return nil
}

// drainNext begins the move of one slot, unless one of its stream is on its way
// that waits for what this one publishes, or the other way round.
func (s *Scheduler) drainNext(ctx context.Context, h store.HostRecord, v store.InstanceRecord) (began bool, err error) {
	apart, err := s.ordered(ctx, v)
	if err != nil {
		return false, err
	}
	_, err = s.store.MoveForDrain(ctx, v.Key, v.Instance, s.o.MoveLimit, h.AtATime, apart)
	var refused *store.MoveError
	if errors.As(err, &refused) && refused.Busy() {
		return false, nil // its turn comes when the others are up
	}
	if s.tried == nil || len(s.tried) > 10_000 {
		s.tried = map[string]time.Time{}
	}
	s.tried[v.Token] = time.Now()
	if errors.As(err, &refused) || errors.Is(err, store.ErrNotFound) {
		return false, nil // it ended
	}
	return err == nil, err
}

// ordered are the instances of the stream that wait for what v publishes, or v for
// what they do, directly or by way of others.
func (s *Scheduler) ordered(ctx context.Context, v store.InstanceRecord) ([]string, error) {
	record, err := s.store.Record(ctx, v.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	upstream, own := map[string][]string{}, stream.SlotOf(v.Instance) // slot → those it waits for
	for slot := range record.Slots {
		needs, err := s.needsOf(ctx, record, slot)
		if err != nil {
			return nil, err
		}
		for _, n := range needs {
			upstream[slot] = append(upstream[slot], n.Slot)
		}
	}
	var out []string
	for instance := range record.Instances {
		slot := stream.SlotOf(instance)
		if slot != own && (reaches(upstream, slot, own) || reaches(upstream, own, slot)) {
			out = append(out, instance)
		}
	}
	slices.Sort(out)
	return out, nil
}

// reaches tells whether there is a way from one slot to the other; there may be
// circles.
func reaches(edges map[string][]string, from, to string) bool {
	seen, todo := map[string]bool{from: true}, []string{from}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, next := range edges[at] {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return false
}

// drainOrder is the order in which a drain moves slots, without those that are this
// host's alone, which end when nothing else is left (each.go), and without jobs, which run to their end: those that were never
// tried first, then those whose try is longest ago; by stream and slot.
func drainOrder(held []store.InstanceRecord, tried map[string]time.Time) []store.InstanceRecord {
	var out []store.InstanceRecord
	for _, v := range held {
		if v.State == stream.Running && v.Move == "" && v.Follows == "" && v.Only == "" && v.With == "" && v.Job == nil { // a sidecar follows its target
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b store.InstanceRecord) int {
		return cmp.Or(tried[a.Token].Compare(tried[b.Token]), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

// evict has all of these slots stopped and given back, room elsewhere or not.
func (s *Scheduler) evict(ctx context.Context, instances []store.InstanceRecord) error {
	for _, v := range instances {
		m := store.Move{Reservation: v.Reservation, Target: "*"}
		_, err := s.store.Evict(ctx, m, true, nil)
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
