package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// Why says of each host why it has an instance, or has not, by the same policies that
// place it, asked of one host at a time. name is a slot, for who leads it, or an instance.
// Errors: store.ErrNotFound, for the stream and for what it has not.
func Why(ctx context.Context, s *store.Store, key, name string) (stream.WhyStatus, error) {
	record, err := s.Record(ctx, key)
	if err != nil {
		return stream.WhyStatus{}, err
	}
	v, known := record.Find(name)
	if !known {
		return stream.WhyStatus{}, fmt.Errorf("stream %s has no slot %s: %w", stream.Quote(key), stream.Quote(name), store.ErrNotFound)
	}
	book := newRuleBook(s)
	classes, err := book.rules(ctx, v.Type)
	if err != nil {
		return stream.WhyStatus{}, err
	}
	chain, err := book.chain(ctx, record, map[string][]placement.Class{})
	if err != nil {
		return stream.WhyStatus{}, err
	}
	found, err := s.Circumstances(ctx, []store.Waiting{{Key: key, Instance: v.Instance, Type: v.Type}}, placement.Needs(classes))
	if err != nil {
		return stream.WhyStatus{}, err
	}
	if err := s.Beside(ctx, found); err != nil {
		return stream.WhyStatus{}, err
	}
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return stream.WhyStatus{}, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return stream.WhyStatus{}, err
	}
	slot := stream.SlotOf(v.Instance)
	out := stream.WhyStatus{
		Key: key, Slot: slot, Instance: v.Instance, Name: stream.ShownAs(v.Instance, len(record.Of(slot)) == 1), Type: v.Type,
		State: v.State, Phase: v.Phase, Host: v.Host, Since: v.Since, At: now, Told: v.Reason.Told(), Do: []stream.WhyDo{},
	}
	if v.Host != "" {
		out.Placed = stream.Issued(v.Token)
		if !v.Here.IsZero() {
			here := v.Here.Told()
			out.Here = &here
		}
	}
	instance := waitingSlot(found[0])
	if why := placement.NewView(v.Type, classes, servicesOf(v.Type, hosts)).Explain(instance, chain); v.State == stream.Pending && !why.IsZero() {
		out.Told = why.Told()
	}
	out.Hosts = whyHosts(instance, v, classes, chain, hosts)
	out.Do = whatHelps(instance, out)
	return out, nil
}

// whyHosts are the hosts, first who has it, then who has room for it.
func whyHosts(i placement.Instance, v store.InstanceRecord, classes []placement.Class, chain placement.Chain, hosts []store.HostRecord) []stream.WhyHost {
	out := []stream.WhyHost{}
	for _, h := range hosts {
		w := stream.WhyHost{Host: h.Host, State: h.State, Since: h.Since, Labels: h.Labels, Has: v.Host == h.Host && v.State != stream.Pending}
		if h.Deadline == 0 {
			w.State = stream.Down // nothing is given to it, whatever its record says
		}
		services := servicesOf(v.Type, []store.HostRecord{h})
		var why stream.Reason
		switch {
		case w.Has:
		case i.With != "" && h.Host != i.Target:
			why = stream.Because(stream.CodeWith, "slot", i.With).With("host", i.Target)
		case len(services) == 0:
			why = stream.Because(stream.CodePinnedOff, "type", v.Type)
		default:
			why = alone(placement.NewView(v.Type, classes, services).Explain(i, chain), h.Host, i)
		}
		w.Room, w.Told = !w.Has && why.IsZero() && w.State == stream.Up, why.Told()
		out = append(out, w)
	}
	rank := func(w stream.WhyHost) int {
		switch {
		case w.Has:
			return 0
		case w.Room:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(out, func(a, b stream.WhyHost) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// alone is what is said of one host of a reason that speaks of all.
func alone(why stream.Reason, host string, i placement.Instance) stream.Reason {
	if why.Code == stream.CodeApart {
		return stream.Because(stream.CodeApart, "holds", i.Beside[host])
	}
	return why
}

// Refuses says why a host does not take an instance, or the one that leads the slot of that
// name, however much room it has: its filter or its labels do not fit. None: it may, once
// it is up and has room. Errors: store.ErrNotFound.
func Refuses(ctx context.Context, s *store.Store, key, name, host string) (stream.Told, error) {
	why, err := Why(ctx, s, key, name)
	if err != nil {
		return stream.Told{}, err
	}
	for _, h := range why.Hosts {
		switch {
		case h.Host != host || h.Has:
		case h.Code == stream.CodeNoHost, h.Code == stream.CodeNoMatch, h.Code == stream.CodeHostOpen:
			return h.Told, nil
		}
	}
	return stream.Told{}, nil
}

// mostHelp bounds the commands that are offered.
const mostHelp = 4

// whatHelps are commands that change what is said.
func whatHelps(i placement.Instance, w stream.WhyStatus) []stream.WhyDo {
	do := []stream.WhyDo{}
	add := func(command, does string) {
		if len(do) < mostHelp {
			do = append(do, stream.WhyDo{Command: "stream-api " + command, Does: does})
		}
	}
	for _, h := range w.Hosts {
		if h.Room && w.State == stream.Running && i.With == "" {
			add(fmt.Sprintf("streams move %s %s %s", w.Key, w.Name, h.Host), "moves it there")
		}
	}
	if w.State != stream.Pending {
		return do
	}
	if i.Pin != "" {
		add(fmt.Sprintf("streams move %s %s --unpin", w.Key, w.Name), "lets other hosts have it")
	}
	for _, h := range w.Hosts {
		switch {
		case h.Code == stream.CodeNotUp && h.State == stream.Cordoned:
			add("hosts uncordon "+h.Host, "lets it take slots again")
		case h.Code == stream.CodeApart && h.State == stream.Up:
			add(fmt.Sprintf("streams move %s %s %s --anyway", w.Key, w.Name, h.Host), "has it there beside "+h.Facts["holds"])
		case h.Code == stream.CodeFull:
			add(fmt.Sprintf("services set %s %s capacity=N", w.Type, h.Host), "has it take more than "+h.Facts["full"])
		}
	}
	return do
}

// chain is what must be known of a stream's chain to say what its slots wait for; the
// classes that it reads are kept by type.
func (b *ruleBook) chain(ctx context.Context, r store.Record, byType map[string][]placement.Class) (placement.Chain, error) {
	v := placement.Chain{Slots: r.Chain, Classes: map[string][]placement.Class{}, Needs: map[string][]stream.Need{}, Published: map[stream.Need]bool{}}
	for _, slot := range r.Chain {
		t := r.TypeOf(slot)
		if _, known := byType[t]; !known {
			rules, err := b.rules(ctx, t)
			if err != nil {
				return placement.Chain{}, err
			}
			byType[t] = rules
		}
		v.Classes[slot], v.Needs[slot] = byType[t], r.Items[slot].Needs()
		for name := range maps.Keys(r.Slots[slot].Vars) {
			v.Published[stream.Need{Slot: slot, Var: name}], v.Published[stream.Need{Slot: slot, Var: name, All: true}] = true, true
		}
	}
	return v, nil
}
