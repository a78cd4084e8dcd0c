package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Neighbour is what a slot wishes to be near to, as it is now.
type Neighbour struct {
	Name   string
	Type   string        // of a slot
	Host   string        // where that has it; empty: nowhere, or it is the source
	Labels stream.Labels // of the host or the source
	// Waits: it is in line, since when (server ms), and what was said of it last.
	Waits  bool
	Since  int64
	Reason stream.Reason
}

// wishes tells that the slot's place depends on where others are.
func (c Circumstances) wishes() bool { return len(c.Near) > 0 || c.Spread != "" }

// Relate fills in where that is which slots wish to be near to, and where the other
// copies are of those that wish to be spread. It makes no call if none of them wishes
// anything. It gives the store's clock, or 0.
func (s *Store) Relate(ctx context.Context, waiting []Circumstances) (now int64, err error) {
	if !slices.ContainsFunc(waiting, Circumstances.wishes) {
		return 0, nil
	}
	r := relating{s: s, ctx: ctx, waiting: waiting}
	for _, step := range []func(redis.Pipeliner){r.slots, r.instances, r.labels} {
		pipe := s.client.Pipeline()
		step(pipe)
		if pipe.Len() == 0 {
			continue
		}
		if err := pipelined(pipe.Exec(ctx)); err != nil {
			return 0, fmt.Errorf("read what slots are to be near to: %w", err)
		}
	}
	r.tell()
	return r.now.Val().UnixMilli(), nil
}

// relating is one reading, of three round trips.
type relating struct {
	s       *Store
	ctx     context.Context
	waiting []Circumstances

	now   *redis.TimeCmd
	leads map[string]*redis.StringCmd // who leads, by stream and slot
	lists map[string]*redis.StringCmd // the instances, by stream and slot
	found map[string]*redis.SliceCmd  // by stream and instance
	said  map[string]*redis.StringCmd // labels by host
}

// slots reads who leads the targets, and which copies there are.
func (r *relating) slots(pipe redis.Pipeliner) {
	r.leads, r.lists = map[string]*redis.StringCmd{}, map[string]*redis.StringCmd{}
	for _, c := range r.waiting {
		for _, target := range c.Near {
			if target != stream.NearSource && slices.Contains(c.Chain, target) {
				r.leads[stream.Member(c.Key, target)] = pipe.HGet(r.ctx, r.s.key("stream", c.Key, target), "lead")
			}
		}
		if slot := stream.SlotOf(c.Instance); c.Spread != "" {
			r.lists[stream.Member(c.Key, slot)] = pipe.HGet(r.ctx, r.s.key("stream", c.Key, slot), "instances")
		}
	}
	r.now = pipe.Time(r.ctx)
}

// instances reads what those are doing.
func (r *relating) instances(pipe redis.Pipeliner) {
	r.found = map[string]*redis.SliceCmd{}
	for at, cmd := range joined(r.leads, r.lists) {
		key, _, _ := stream.SplitMember(at)
		for name := range strings.FieldsSeq(cmd.Val()) {
			r.found[stream.Member(key, name)] = pipe.HMGet(r.ctx, r.s.key("stream", key, name), "state", "host", "since", "reason", "type")
		}
	}
}

// labels reads those of their hosts.
func (r *relating) labels(pipe redis.Pipeliner) {
	r.said = map[string]*redis.StringCmd{}
	for _, cmd := range r.found {
		if host := field(cmd, 1); host != "" && r.said[host] == nil {
			r.said[host] = pipe.HGet(r.ctx, r.s.key("host", host), "labels")
		}
	}
}

func (r *relating) labelsOf(host string) stream.Labels {
	return labelsSaid(r.said[host])
}

// labelsSaid reads labels of a host; what a hand broke, or nobody read, is none.
func labelsSaid(cmd *redis.StringCmd) stream.Labels {
	if cmd == nil {
		return nil
	}
	labels, err := stream.ParseLabels(cmd.Val())
	if err != nil {
		return nil // such a host takes nothing
	}
	return labels
}

func (r *relating) tell() {
	for i, c := range r.waiting {
		r.waiting[i].Targets, r.waiting[i].Siblings = nil, nil
		for _, name := range c.Near {
			if name == stream.NearSource {
				r.waiting[i].Targets = append(r.waiting[i].Targets, Neighbour{Name: name, Labels: c.Origin})
			} else if t, known := r.target(c.Key, name); known {
				r.waiting[i].Targets = append(r.waiting[i].Targets, t)
			}
		}
		if c.Spread != "" {
			r.waiting[i].Siblings = r.siblings(c)
		}
	}
}

// target is a slot, as who leads it is now; false if there is no such slot.
func (r *relating) target(key, slot string) (Neighbour, bool) {
	lead := r.leads[stream.Member(key, slot)]
	if lead == nil || r.found[stream.Member(key, lead.Val())] == nil {
		return Neighbour{}, false
	}
	v := r.found[stream.Member(key, lead.Val())]
	t := Neighbour{Name: slot, Type: field(v, 4), Host: field(v, 1), Since: atoi64(field(v, 2)), Reason: stream.ParseReason(field(v, 3))}
	switch stream.State(field(v, 0)) {
	case stream.Pending:
		t.Waits, t.Host = true, ""
	case stream.Stopping:
		t.Host = "" // nobody can be beside it
	}
	t.Labels = r.labelsOf(t.Host)
	return t, true
}

// siblings counts the other copies where the label by which they are spread has a value.
func (r *relating) siblings(c Circumstances) map[string]int {
	out := map[string]int{}
	for name := range strings.FieldsSeq(r.lists[stream.Member(c.Key, stream.SlotOf(c.Instance))].Val()) {
		if name == c.Instance || name == c.Follows {
			continue
		}
		if value := r.labelsOf(field(r.found[stream.Member(c.Key, name)], 1))[c.Spread]; value != "" {
			out[value]++
		}
	}
	return out
}

// joined are the entries of both.
func joined[V any](a, b map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, m := range []map[string]V{a, b} {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}
