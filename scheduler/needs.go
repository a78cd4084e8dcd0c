package scheduler

import (
	"slices"
	"strings"

	"stream-api/stream"
)

// chainView is what a slot that waits must know of its chain.
type chainView struct {
	slots     []string               // in chain order
	rules     map[string][]classRule // slot → classes of its type
	published map[stream.Need]bool   // by any slot of the chain, ever
}

// explainNeeds says what the slot waits for, and when waiting is in vain.
func (v chainView) explainNeeds(slot string, needs []stream.Need) stream.Reason {
	own := stream.OwnSlot(slot)
	for _, n := range needs {
		if !slices.Contains(v.slots, n.Slot) {
			return stream.Because(stream.CodeNeedsLost, "needs", n.String(), "slot", n.Slot)
		}
	}
	if cycle := v.cycle(own); cycle != nil {
		return stream.Because(stream.CodeCycle, "cycle", strings.Join(cycle, " → "))
	}
	texts := make([]string, len(needs))
	for i, n := range needs {
		texts[i] = n.String()
	}
	return stream.Because(stream.CodeNeeds, "needs", list(texts, ", "))
}

// cycle finds slots that wait for each other, beginning and ending with slot;
// nil if there is none. A slot waits if each class that admits any stream of
// this chain misses something.
func (v chainView) cycle(slot string) []string {
	path, seen := []string{slot}, map[string]bool{}
	var walk func(at string) bool
	walk = func(at string) bool {
		for _, next := range v.waitsFor(at) {
			if next == slot {
				path = append(path, slot)
				return true
			}
			if seen[next] {
				continue
			}
			seen[next] = true
			path = append(path, next)
			if walk(next) {
				return true
			}
			path = path[:len(path)-1]
		}
		return false
	}
	if !walk(slot) {
		return nil
	}
	return path
}

// waitsFor are the slots without which none of the classes of this one can
// start; none if some class could.
func (v chainView) waitsFor(slot string) []string {
	var fewest []stream.Need
	for _, r := range v.rules[slot] {
		if r.rule == nil {
			continue
		}
		missing := unmet(r.rule, v.published)
		if len(missing) == 0 {
			return nil
		}
		if fewest == nil || len(missing) < len(fewest) {
			fewest = missing
		}
	}
	var out []string
	for _, n := range fewest {
		if !slices.Contains(out, n.Slot) {
			out = append(out, n.Slot)
		}
	}
	return out
}
