package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Circumstances are what decides where a pending slot may go, besides the
// classes of its type.
type Circumstances struct {
	InstanceRecord
	Chain []string
	// Pin is the one host an operator allows; empty: any.
	Pin string
	// Host is which hosts its item means.
	Host stream.Selector
	// Near and Spread are what its item wishes, and Origin says where its source stands.
	Near   []string
	Spread string
	Origin stream.Labels
	// Targets are what it wishes to be near to, as far as that is in its chain, and
	// Siblings how many other copies are where the label has a value by which they are
	// spread. Only Relate fills them in.
	Targets  []Neighbour
	Siblings map[string]int
	// Beside are the hosts of the other copies of its slot if it may not share one with
	// them, each with the instance there. Only Beside fills it in.
	Beside map[string]string
	// Target is the host where a sidecar's target is; empty: on none. Only Beside fills it in.
	Target string
	// Behind are the types of its sidecars, which can be placed when it is.
	Behind []string
	// Needs are the variables that the slot waits for on account of its item.
	Needs []stream.Need
	// Published says of these, and of each need asked for, whether some holder of that
	// slot ever published the variable.
	Published map[stream.Need]bool
}

// Circumstances reads those of waiting slots in one round trip or two, in their
// order. needs are the variables that services of their types wait for. A slot
// that is no more has an empty State.
func (s *Store) Circumstances(ctx context.Context, waiting []Waiting, needs []stream.Need) ([]Circumstances, error) {
	type row struct {
		record *redis.MapStringStringCmd
		chain  *redis.SliceCmd
		pin    *redis.StringCmd
		vars   []*redis.BoolCmd
	}
	pipe := s.client.Pipeline()
	rows := make([]row, len(waiting))
	for i, w := range waiting {
		rows[i].record = pipe.HGetAll(ctx, s.key("stream", w.Key, w.Instance))
		rows[i].chain = pipe.HMGet(ctx, s.key("stream", w.Key), "chain", "items", "sys:labels")
		rows[i].pin = pipe.HGet(ctx, s.key("override", w.Key), "pin:"+stream.SlotOf(w.Instance))
		for _, n := range needs {
			rows[i].vars = append(rows[i].vars, pipe.HExists(ctx, s.key("stream", w.Key, n.Slot), "var:"+n.Var))
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read waiting slots: %w", err)
	}
	out := make([]Circumstances, len(waiting))
	for i, w := range waiting {
		c := Circumstances{InstanceRecord: readInstance(w.Key, w.Instance, rows[i].record.Val()), Pin: rows[i].pin.Val()}
		c.Chain = readChain(field(rows[i].chain, 0))
		if c.Job != nil {
			c.Host, c.Pin = c.Job.Host, "" // as it was said when it was made
		} else if text := field(rows[i].chain, 1); text != "" {
			items := stream.DecodeItems(text)
			item := items[stream.SlotOf(w.Instance)]
			for _, slot := range c.Sidecars {
				c.Behind = append(c.Behind, items.Type(slot))
			}
			c.Needs, c.Host, c.Near, c.Spread = item.Needs(), item.Host, item.Near, item.Spread
			if len(c.Near) > 0 {
				c.Origin, _ = stream.ParseLabels(field(rows[i].chain, 2)) // what a hand broke is none
			}
		}
		if c.Only != "" {
			c.Pin = "" // a pin is of a slot that may be anywhere
		}
		if len(needs)+len(c.Needs) > 0 {
			c.Published = make(map[stream.Need]bool, len(needs)+len(c.Needs))
		}
		for k, n := range needs {
			c.Published[n] = rows[i].vars[k].Val()
		}
		out[i] = c
	}
	if err := s.ownNeeds(ctx, out); err != nil {
		return nil, err
	}
	return out, s.lists(ctx, out)
}

// ownNeeds looks which of the variables that slots wait for on account of their items
// are published; a round trip only if there are such slots.
func (s *Store) ownNeeds(ctx context.Context, waiting []Circumstances) error {
	pipe := s.client.Pipeline()
	var found []func()
	for _, c := range waiting {
		for _, n := range c.Needs {
			cmd := pipe.HExists(ctx, s.key("stream", c.Key, n.Slot), "var:"+n.Var)
			found = append(found, func() { c.Published[n] = cmd.Val() })
		}
	}
	if len(found) == 0 {
		return nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return fmt.Errorf("read what slots wait for: %w", err)
	}
	for _, set := range found {
		set()
	}
	return nil
}

// Beside fills in the hosts of the other copies of those that may not share one with
// them, and the hosts of the targets of sidecars. It makes no call if there are none.
func (s *Store) Beside(ctx context.Context, waiting []Circumstances) error {
	var keys []string
	for _, c := range waiting {
		if (c.Apart != "" || c.With != "") && !slices.Contains(keys, c.Key) {
			keys = append(keys, c.Key)
		}
	}
	records, err := s.Records(ctx, keys)
	if err != nil {
		return err
	}
	byKey := make(map[string]Record, len(records))
	for _, r := range records {
		byKey[r.Key] = r
	}
	for i, c := range waiting {
		if c.With != "" {
			waiting[i].Target = byKey[c.Key].Anchor(c.With, c.Copy)
		}
		if c.Apart == "" {
			continue
		}
		waiting[i].Beside = map[string]string{}
		for _, v := range byKey[c.Key].Of(stream.SlotOf(c.Instance)) {
			if v.Instance != c.Instance && v.Host != "" {
				waiting[i].Beside[v.Host] = v.Instance
			}
		}
	}
	return nil
}
