package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"stream-api/queue"
	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// move is the loop that carries out planned moves and drains. All it knows is
// in Redis, so that another scheduler goes on where this one stops.
func (s *Scheduler) move(ctx context.Context) (time.Duration, error) {
	moves, err := s.store.Moves(ctx)
	if err != nil {
		return 0, err
	}
	draining, err := s.store.DrainingHosts(ctx)
	if err != nil || len(moves) == 0 && len(draining) == 0 {
		return 0, err
	}
	hosts, err := s.hostsOf(ctx, moves, draining)
	if err != nil {
		return 0, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range moves {
		if err := s.carryOn(ctx, m, hosts, now); skippable(err) != nil {
			return 0, err
		}
	}
	for _, name := range draining {
		if err := s.drain(ctx, hosts[name], moves, now); skippable(err) != nil {
			return 0, err
		}
	}
	// Successors become ready and drained hosts have a next slot without a hint.
	return s.o.Net / 4, nil
}

// skippable passes over what another round settles: somebody was quicker, or
// nothing is moved now.
func skippable(err error) error {
	if errors.Is(err, store.ErrStale) || store.IsHold(err) {
		return nil
	}
	return err
}

// hostsOf reads the hosts that are left, which are few beside all there are.
func (s *Scheduler) hostsOf(ctx context.Context, moves []store.Move, draining []string) (map[string]store.HostRecord, error) {
	names := slices.Clone(draining)
	for _, m := range moves {
		names = append(names, m.Host)
	}
	slices.Sort(names)
	hosts, err := s.store.HostsNamed(ctx, slices.Compact(names))
	if err != nil {
		return nil, err
	}
	byName := make(map[string]store.HostRecord, len(hosts))
	for _, h := range hosts {
		byName[h.Host] = h
	}
	return byName, nil
}

// carryOn takes the next step of one move.
func (s *Scheduler) carryOn(ctx context.Context, m store.Move, hosts map[string]store.HostRecord, now int64) error {
	p := progress{move: m, now: now, grace: s.o.Ready, draining: hosts[m.Host].State == stream.Draining}
	record, err := s.store.Record(ctx, m.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		p.instance, p.next = record.Instances[m.Instance], record.Successor(m.Instance)
	}
	for _, v := range hosts[m.Host].Services {
		if v.Type == m.Type {
			p.handover = v.Handover
		}
	}
	if p.next.State == stream.Running {
		if p.required, err = s.required(ctx, record, stream.SlotOf(m.Instance)); err != nil {
			return err
		}
	}
	next, why := nextStep(p)
	switch next {
	case evict:
		return s.evictIfRoom(ctx, m)
	case succeed:
		return s.store.Succeed(ctx, m)
	case takeOver:
		return s.takeOver(ctx, p)
	case finish:
		return s.endMove(ctx, m, stream.Reason{})
	case giveUp:
		return s.endMove(ctx, m, why)
	case wait:
	}
	return nil
}

// required are the variables of a slot that some service for another slot of
// the chain waits for.
func (s *Scheduler) required(ctx context.Context, r store.Record, slot string) ([]string, error) {
	var names []string
	for _, other := range r.Chain {
		if other == slot {
			continue
		}
		needs, err := s.needsOf(ctx, r, other)
		if err != nil {
			return nil, err
		}
		for _, n := range needs {
			if n.Slot == slot {
				names = append(names, n.Var)
			}
		}
	}
	return names, nil
}

// needsOf are the variables that a slot of the stream waits for: on account of its
// item, and of any service that may run it.
func (s *Scheduler) needsOf(ctx context.Context, r store.Record, slot string) ([]stream.Need, error) {
	rules, err := s.rules.rules(ctx, r.TypeOf(slot))
	if err != nil {
		return nil, err
	}
	return append(placement.Needs(rules), r.Items[slot].Needs()...), nil
}

// evictIfRoom has the holder stop the slot, if there is room elsewhere.
func (s *Scheduler) evictIfRoom(ctx context.Context, m store.Move) error {
	rules, err := s.rules.rules(ctx, m.Type)
	if err != nil {
		return err
	}
	instance, classes, err := s.takers(ctx, m.Reservation, rules)
	if err != nil {
		return err
	}
	asked, err := s.store.Evict(ctx, m, false, classes)
	if err != nil {
		return err
	}
	if asked == store.Asked {
		s.tellLater(queue.Update, []store.Reservation{m.Reservation})
		return nil
	}
	if !m.Drain || asked == store.Wait {
		return nil // it waits for room until its deadline
	}
	// Another slot of the host may find room; this one's turn comes again.
	why, err := s.explainMove(ctx, m, instance, rules)
	if err != nil {
		return err
	}
	return s.endMove(ctx, m, why)
}

// takers are the classes that may take a running instance elsewhere: none, if it may be on
// its host alone. The instance is as it is now.
func (s *Scheduler) takers(ctx context.Context, v store.Reservation, rules []placement.Class) (store.Circumstances, []string, error) {
	instances, err := s.store.Circumstances(ctx, []store.Waiting{{Key: v.Key, Instance: v.Instance, Type: v.Type}}, placement.Needs(rules))
	if err != nil {
		return store.Circumstances{}, nil, err
	}
	var classes []string
	if only := instances[0].Host.Name; only == "" || only != v.Host {
		for _, c := range placement.Candidates(waitingSlot(instances[0]), rules) {
			if c.Host == "" {
				classes = append(classes, c.Class)
			}
		}
	}
	return instances[0], classes, nil
}

// part begins the move of a copy away from another that it is apart from, if there is room
// elsewhere. If there is none, the stream is looked at again soon.
func (s *Scheduler) part(ctx context.Context, p store.Parting) error {
	rules, err := s.rules.rules(ctx, p.Type)
	if err != nil {
		return err
	}
	_, classes, err := s.takers(ctx, p.Reservation, rules)
	if err != nil {
		return err
	}
	if may, err := s.store.MayEvict(ctx, store.Move{Reservation: p.Reservation, Target: "*"}, classes); err != nil || may != store.Asked {
		return err
	}
	_, err = s.store.Part(ctx, p, s.o.MoveLimit)
	var refused *store.MoveError
	if errors.As(err, &refused) || errors.Is(err, store.ErrNotFound) {
		return nil // somebody was quicker
	}
	if err == nil {
		s.log.Info().Str("stream", p.Key).Str("slot", stream.SlotOf(p.Instance)).Str("instance", p.Instance).Str("host", p.Host).Str("token", p.Token).Str("with", p.With).Msg("moves away from a copy that it is apart from")
	}
	return err
}

// explainMove says why no host but its own takes the slot.
func (s *Scheduler) explainMove(ctx context.Context, m store.Move, c store.Circumstances, rules []placement.Class) (stream.Reason, error) {
	hosts, err := s.view.get(ctx)
	if err != nil {
		return stream.Reason{}, err
	}
	if c.Pin == m.Host {
		return stream.Because(stream.CodePinnedHere, "host", m.Host), nil
	}
	var others []store.HostRecord
	for _, h := range hosts {
		if h.Host != m.Host {
			others = append(others, h)
		}
	}
	with := []store.Circumstances{c}
	if err := s.store.Beside(ctx, with); err != nil {
		return stream.Reason{}, err
	}
	why := placement.NewView(m.Type, rules, servicesOf(m.Type, others)).Explain(waitingSlot(with[0]), placement.Chain{})
	if why.IsZero() {
		why = stream.Because(stream.CodeNoRoom)
	}
	return why, nil
}

// takeOver has the successor take the slot's place, which ends the move.
func (s *Scheduler) takeOver(ctx context.Context, p progress) error {
	c, err := s.store.Lead(ctx, p.instance.Reservation, p.next.Token)
	if err != nil {
		return err
	}
	s.tellLater(queue.Stop, c.Stops)
	s.tellLater(queue.Update, c.Updates)
	s.hasMoved(p.move)
	return nil
}

func (s *Scheduler) endMove(ctx context.Context, m store.Move, why stream.Reason) error {
	told := why
	if !why.IsZero() {
		told = stream.Because(stream.CodeNotMoved).After(why)
	}
	stops, err := s.store.EndMove(ctx, m, told)
	if err != nil {
		return err
	}
	s.tellLater(queue.Stop, stops)
	if why.IsZero() {
		s.hasMoved(m)
		return nil
	}
	s.log.Info().Str("stream", m.Key).Str("slot", stream.SlotOf(m.Instance)).Str("instance", m.Instance).Str("host", m.Host).Str("token", m.Token).Stringer("reason", why).Msg("not moved")
	return nil
}

func (s *Scheduler) hasMoved(m store.Move) {
	s.counts.moved.Add(1)
	s.log.Info().Str("stream", m.Key).Str("slot", stream.SlotOf(m.Instance)).Str("instance", m.Instance).Str("host", m.Host).Str("token", m.Token).Msg("moved to another host")
	s.moves.ring() // a drained host has the next slot to move
}
