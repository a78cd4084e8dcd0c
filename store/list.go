package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// listPatience is how long who uses a list waits for all of it after the first.
const listPatience = 5 * time.Second

// Says is what an instance says by the name of a variable: what it published last, whatever
// became of its child since.
func (v InstanceRecord) Says(name string) (string, bool) {
	if value, ok := v.Vars[name]; ok {
		return value, true
	}
	value, ok := v.Kept[name]
	return value, ok
}

// List is ${slot*:name}: what all instances of the slot say that are wanted, in the order of
// their names, separated by spaces; ok is false if none says anything.
func (r Record) List(slot, name string) (list string, ok bool) {
	var values []string
	for _, v := range r.Of(slot) {
		if v.State == stream.Stopping {
			continue
		}
		if value, ok := v.Says(name); ok {
			values = append(values, value)
		}
	}
	return strings.Join(values, " "), len(values) > 0
}

// listed tells whether who waits for the list may start: all that have a place say it, or the
// first did so a while ago.
func (r Record) listed(n stream.Need, now int64) bool {
	if _, any := r.List(n.Slot, n.Var); !any {
		return false
	}
	if said := r.Slots[n.Slot].Said; said != 0 && now-said >= listPatience.Milliseconds() {
		return true
	}
	for _, v := range r.Of(n.Slot) {
		if _, says := v.Says(n.Var); !says && (v.State == stream.Assigned || v.State == stream.Running) {
			return false
		}
	}
	return true
}

// lists looks which of the lists that slots wait for are there; it makes no call if none waits for one.
func (s *Store) lists(ctx context.Context, waiting []Circumstances) error {
	keys := map[string]bool{}
	for _, c := range waiting {
		for n := range c.Published {
			if n.All {
				keys[c.Key] = true
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	records, err := s.Records(ctx, slices.Sorted(maps.Keys(keys)))
	if err != nil {
		return err
	}
	byKey := make(map[string]Record, len(records))
	for _, r := range records {
		byKey[r.Key] = r
	}
	for _, c := range waiting {
		for n := range c.Published {
			if n.All {
				c.Published[n] = byKey[c.Key].listed(n, now)
			}
		}
	}
	return nil
}

// ServiceAt names a service of a host.
type ServiceAt struct{ Type, Host string }

// Unwell are the services whose checks fail, heeded or not.
func (s *Store) Unwell(ctx context.Context) (map[ServiceAt]bool, error) {
	members, err := s.client.ZRange(ctx, s.key("unwell"), 0, -1).Result()
	if err != nil && !isRefusal(err) {
		return nil, fmt.Errorf("read unwell: %w", err)
	}
	out := make(map[ServiceAt]bool, len(members))
	for _, member := range members {
		if t, host, ok := strings.Cut(member, "|"); ok {
			out[ServiceAt{t, host}] = true
		}
	}
	return out, nil
}
