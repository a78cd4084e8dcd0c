package scheduler

import (
	"context"
	"maps"
	"slices"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// Rebalance lists moves that would help, by the same policies that place: types in the order of
// their names, or one type; of each stream one move at most, as the others may not be worth it after that. What is
// pinned, one host's, a sidecar, on its way or not up is left out.
func Rebalance(ctx context.Context, s *store.Store, only string) ([]stream.Rebalancing, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.Records(ctx, keys)
	if err != nil {
		return nil, err
	}
	moves, err := s.Moves(ctx)
	if err != nil {
		return nil, err
	}
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	book, moved := newRuleBook(s), map[string]bool{}
	byKey, byType := map[string]store.Record{}, map[string][]store.Waiting{}
	for _, m := range moves {
		moved[m.Key] = true
	}
	for _, r := range records {
		byKey[r.Key] = r
		if r.Held || r.Gone || moved[r.Key] {
			continue
		}
		for _, name := range slices.SortedFunc(maps.Keys(r.Instances), stream.CompareInstances) {
			if v := r.Instances[name]; movable(v) && (only == "" || v.Type == only) {
				byType[v.Type] = append(byType[v.Type], store.Waiting{Key: r.Key, Instance: name, Type: v.Type})
			}
		}
	}
	out := []stream.Rebalancing{}
	for _, t := range slices.Sorted(maps.Keys(byType)) {
		better, err := improvements(ctx, s, book, t, byType[t], hosts, now)
		if err != nil {
			return nil, err
		}
		for _, i := range better {
			if moved[i.Key] {
				continue
			}
			moved[i.Key] = true
			slot := stream.SlotOf(i.Instance.Instance)
			out = append(out, stream.Rebalancing{
				Stream: i.Key, Slot: slot, Instance: i.Instance.Instance, Name: stream.ShownAs(i.Instance.Instance, len(byKey[i.Key].Of(slot)) == 1),
				Copy: byKey[i.Key].Instances[i.Instance.Instance].Copy, Type: t, From: i.From, To: i.To, Gap: handoverOf(hosts, t, i.From) != stream.StartFirst, Told: i.Why.Told(),
			})
		}
	}
	return out, nil
}

// movable tells whether an instance may be moved for its own good.
func movable(v store.InstanceRecord) bool {
	return v.State == stream.Running && v.Phase == stream.Runs && v.Up && v.Only == "" && v.With == "" && v.Follows == "" && v.Move == "" && v.Anyway == ""
}

func improvements(ctx context.Context, s *store.Store, book *ruleBook, t string, standing []store.Waiting, hosts []store.HostRecord, now int64) ([]placement.Improvement, error) {
	rules, err := book.rules(ctx, t)
	if err != nil {
		return nil, err
	}
	var found []store.Circumstances
	for part := range slices.Chunk(standing, 500) {
		some, err := s.Circumstances(ctx, part, placement.Needs(rules))
		if err != nil {
			return nil, err
		}
		if _, err := s.Relate(ctx, some); err != nil {
			return nil, err
		}
		if err := s.Beside(ctx, some); err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	var list []placement.Standing
	for _, c := range found {
		maps.DeleteFunc(c.Avoid, func(_ string, until int64) bool { return until <= now })
		if movable(c.InstanceRecord) && c.Pin == "" {
			list = append(list, placement.Standing{Instance: waitingSlot(c), On: c.InstanceRecord.Reservation.Host})
		}
	}
	return placement.Improve(list, rules, servicesOf(t, hosts)), nil
}

func handoverOf(hosts []store.HostRecord, stype, host string) stream.Handover {
	for _, h := range hosts {
		for _, v := range h.Services {
			if h.Host == host && v.Type == stype {
				return v.Handover
			}
		}
	}
	return ""
}
