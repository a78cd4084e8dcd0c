package scheduler

import (
	"maps"
	"slices"
	"sync"
	"time"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// nearPatience is how long a slot waits for a place of what it is to be near to, since
// that was wanted or taken back.
const nearPatience = 2 * time.Second

// nearTypes remembers which types have slots that wish to be near slots of which others,
// so that a round takes the types in that order. It is learnt of what is wanted and of
// what waits; what it does not know yet costs a slot one round.
type nearTypes struct {
	mu    sync.Mutex
	after map[string]map[string]bool // type → types of its targets
}

// learn tells whether it is news that slots of a type are to be near those of another.
func (n *nearTypes) learn(of, target string) bool {
	if of == target {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.after[of][target] {
		return false
	}
	if n.after == nil {
		n.after = map[string]map[string]bool{}
	}
	if n.after[of] == nil {
		n.after[of] = map[string]bool{}
	}
	n.after[of][target] = true
	return true
}

// learnAll is learn of the slots of a chain.
func (n *nearTypes) learnAll(chain []string, items stream.Items) {
	for _, slot := range chain {
		for _, target := range items[slot].Near {
			if target != stream.NearSource {
				n.learn(items.Type(slot), items.Type(target))
			}
		}
	}
}

// sort puts types behind those of their targets. Of a circle the first by name goes last.
func (n *nearTypes) sort(types []string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.after) == 0 {
		return types
	}
	out, seen := make([]string, 0, len(types)), map[string]bool{}
	var visit func(t string)
	visit = func(t string) {
		if seen[t] {
			return
		}
		seen[t] = true
		for _, target := range slices.Sorted(maps.Keys(n.after[t])) {
			visit(target)
		}
		if slices.Contains(types, t) {
			out = append(out, t)
		}
	}
	for _, t := range types {
		visit(t)
	}
	return out
}

// awaits tells whether the slot is to wait for a place of one of its targets: that is in
// line for a moment only, and nothing is known to be in its way. later are the types that
// have their turn after this one in this round, though nothing was known of this
// relation: so has their slot.
func (p *pass) awaits(c store.Circumstances) bool {
	for _, t := range c.Targets {
		news := t.Type != "" && p.s.near.learn(c.Type, t.Type) && p.later[t.Type]
		if !t.Waits || t.Reason.Code.Waits() != stream.WhyOther {
			continue
		}
		if news || p.now-t.Since < nearPatience.Milliseconds() {
			return true
		}
	}
	return false
}

// unsettled tells whether the slot's place depends on what is asked for in this very
// call of the store.
func unsettled(c store.Circumstances, asked map[string]bool) bool {
	if c.Spread != "" && asked[stream.Member(c.Key, stream.SlotOf(c.Instance))] {
		return true
	}
	return slices.ContainsFunc(c.Near, func(target string) bool { return asked[stream.Member(c.Key, target)] })
}

// targetsFirst puts those that others of their stream wish to be near to before these.
func targetsFirst(instances []store.Circumstances) []store.Circumstances {
	if !slices.ContainsFunc(instances, func(c store.Circumstances) bool { return len(c.Near) > 0 }) {
		return instances
	}
	of := map[string][]int{}
	for i, c := range instances {
		at := stream.Member(c.Key, stream.SlotOf(c.Instance))
		of[at] = append(of[at], i)
	}
	out, seen := make([]store.Circumstances, 0, len(instances)), make([]bool, len(instances))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, target := range instances[i].Near {
			for _, k := range of[stream.Member(instances[i].Key, target)] {
				visit(k)
			}
		}
		out = append(out, instances[i])
	}
	for i := range instances {
		visit(i)
	}
	return out
}

func targetsOf(c store.Circumstances) []placement.Target {
	var out []placement.Target
	for _, t := range c.Targets {
		if t.Name == stream.NearSource || t.Host != "" {
			out = append(out, placement.Target{Name: t.Name, Host: t.Host, Labels: t.Labels})
		}
	}
	return out
}
