package scheduler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// A slot of which each host has an instance is wanted on hosts, not on air: these
// come and go, and no mark says so. So one scheduler compares, once a Net, the hosts
// that offer and admit with the instances that exist, and marks the streams that differ.
// It goes by what is there and not by what happened: what it missed it finds the
// next time.

// eachScan is after how long all streams are compared though no host changed: for what a
// hand did to them.
const eachScan = 10 * time.Second

// offering is who offers types of which each host has an instance, as the hosts are now.
type offering struct {
	services map[string][]placement.Service
	classes  map[string][]placement.Class
	emptied  map[string]bool // drained hosts that hold nothing else
}

// offering reads the hosts for some types. It makes no call for none.
func (s *Scheduler) offering(ctx context.Context, types []string) (offering, error) {
	v := offering{services: map[string][]placement.Service{}, classes: map[string][]placement.Class{}, emptied: map[string]bool{}}
	if len(types) == 0 {
		return v, nil
	}
	hosts, err := s.store.Hosts(ctx)
	if err != nil {
		return v, err
	}
	for i, h := range hosts {
		if h.Deadline == 0 && h.State != stream.Draining {
			hosts[i].State = stream.Down // nothing is given to it, whatever its record says
		}
	}
	for _, t := range types {
		v.services[t] = servicesOf(t, hosts)
		if v.classes[t], err = s.rules.rules(ctx, t); err != nil {
			return v, err
		}
	}
	for _, h := range hosts {
		if h.State != stream.Draining {
			continue
		}
		held, err := s.store.SlotsOf(ctx, h.Host)
		if err != nil {
			return v, err
		}
		v.emptied[h.Host] = !slices.ContainsFunc(held, func(i store.InstanceRecord) bool { return i.Only == "" || i.Job != nil })
	}
	return v, nil
}

// of are the hosts for the slots of a stream of which each host has one.
func (v offering) of(key string, items stream.Items) map[string]store.EachHosts {
	var out map[string]store.EachHosts
	for slot, item := range items {
		if item.Each != stream.EachHost {
			continue
		}
		if out == nil {
			out = map[string]store.EachHosts{}
		}
		t := items.Type(slot)
		have, keep := placement.Each(placement.Instance{Key: key, Host: item.Host}, v.classes[t], v.services[t], func(host string) bool { return v.emptied[host] })
		out[slot] = store.EachHosts{Have: have, Keep: keep}
	}
	return out
}

// fill says in a want which hosts are to have what each host has, and why that is nobody, or
// more than a stream may have.
func (v offering) fill(w *store.Want) {
	w.Each = v.of(w.Key, w.Items)
	for _, slot := range w.Chain {
		hosts, each := w.Each[slot]
		if !each || w.Fields["sys:reason"] != "" || w.Held {
			continue
		}
		others := 0
		for _, other := range w.Chain {
			if _, each := w.Each[other]; !each {
				others += w.Items.Copies(other)
			} else if other != slot {
				others += len(w.Each[other].Have) + len(w.Each[other].Keep)
			}
		}
		n := len(hosts.Have) + len(hosts.Keep)
		switch {
		case n == 0:
			w.Fields["sys:reason"] = stream.Because(stream.CodeEachNone, "slot", slot, "type", w.Items.Type(slot)).Wire()
		case others+n > stream.MaxInstances:
			w.Fields["sys:reason"] = stream.Because(stream.CodeManyHosts, "slot", slot, "hosts", strconv.Itoa(n), "most", strconv.Itoa(stream.MaxInstances)).Wire()
		}
	}
}

// digest is another whenever the offering is.
func (v offering) digest() string {
	var out strings.Builder
	for _, t := range slices.Sorted(maps.Keys(v.services)) {
		for _, o := range v.services[t] {
			fmt.Fprintln(&out, t, o.Host, o.Class, o.HostState, o.State, o.Withdrawn, v.emptied[o.Host])
		}
		for _, c := range v.classes[t] {
			fmt.Fprintln(&out, t, c.ID, c.Rule != nil)
		}
	}
	return out.String()
}

// eachTypes are the types of which some slot of these has one on each host.
func eachTypes(items stream.Items) []string {
	var out []string
	for slot, item := range items {
		if item.Each == stream.EachHost {
			out = append(out, items.Type(slot))
		}
	}
	return out
}

// eachStreams remembers the streams that have such slots, with the types of these.
type eachStreams struct {
	mu    sync.Mutex
	types map[string][]string

	// Of the comparing loop alone.
	scanned, compared time.Time
	seen              string // digest of the offering that was compared last
}

// note takes in what a stream was made.
func (e *eachStreams) note(key string, items stream.Items) {
	types := eachTypes(items)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(types) == 0 {
		delete(e.types, key)
		return
	}
	if e.types == nil {
		e.types = map[string][]string{}
	}
	e.types[key] = types
}

func (e *eachStreams) list() (keys, types []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, of := range e.types {
		keys, types = append(keys, key), append(types, of...)
	}
	slices.Sort(keys)
	slices.Sort(types)
	return keys, slices.Compact(types)
}

// compare is the loop that compares. Of the busy schedulers the one that heeds hints does it.
func (s *Scheduler) compare(ctx context.Context) (time.Duration, error) {
	e := &s.each
	if !s.first.Load() {
		e.seen = ""
		return 0, nil
	}
	if time.Since(e.scanned) >= eachScan || e.seen == "" {
		items, err := s.store.ItemsOfAll(ctx)
		if err != nil {
			return 0, err
		}
		for key, of := range items {
			e.note(key, of)
		}
		e.scanned = time.Now()
	}
	keys, types := e.list()
	v, err := s.offering(ctx, types)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	now := v.digest()
	if now == e.seen && time.Since(e.compared) < eachScan {
		return 0, nil
	}
	records, err := s.store.RecordsBare(ctx, keys)
	if err != nil {
		return 0, err
	}
	var differ []string
	there := map[string]bool{}
	for _, r := range records {
		there[r.Key] = true
		if !r.Held && !r.Gone && differs(r, v.of(r.Key, r.Items)) {
			differ = append(differ, r.Key)
		}
	}
	for _, key := range keys {
		if !there[key] {
			e.note(key, nil) // it is gone
		}
	}
	if err := s.store.MarkDirty(ctx, differ...); err != nil {
		return 0, err
	}
	e.seen, e.compared = now, time.Now()
	if len(differ) > 0 {
		s.wants.ring()
	}
	return 0, nil
}

// differs tells whether the stream lacks an instance that a host is to have, or has one of a
// host that is not.
func differs(r store.Record, wanted map[string]store.EachHosts) bool {
	for slot, hosts := range wanted {
		if !slices.Contains(r.Chain, slot) {
			continue
		}
		for _, host := range hosts.Have {
			if _, ok := r.Instances[stream.Instance{Slot: slot, Host: host}.String()]; !ok {
				return true
			}
		}
		for name := range r.Instances {
			i, err := stream.ParseInstance(name)
			if err == nil && i.Slot == slot && !slices.Contains(hosts.Have, i.Host) && !slices.Contains(hosts.Keep, i.Host) {
				return true
			}
		}
	}
	return false
}
