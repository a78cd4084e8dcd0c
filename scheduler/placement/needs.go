package placement

import (
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// Needs are the distinct variables that services of these classes wait for.
func Needs(classes []Class) []stream.Need {
	seen := map[stream.Need]bool{}
	for _, c := range classes {
		if c.Rule == nil {
			continue
		}
		for _, n := range c.Rule.Needs() {
			seen[n] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), stream.CompareNeeds)
}

// unmet are the variables that the class needs, or the slot itself on account of its
// item, and that nobody has published yet. A value of an earlier holder counts: a
// missing upstream stops nobody.
func unmet(c Class, own []stream.Need, published map[stream.Need]bool) []stream.Need {
	var out []stream.Need
	for _, n := range slices.Concat(own, c.Rule.Needs()) {
		if !published[n] && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// fed are the services all of whose needs are published; if there is none, why is
// said of the one that misses the fewest.
func (v View) fed(s Instance, from []Service, chain Chain) (left []Service, why stream.Reason) {
	var fewest []stream.Need
	for _, o := range from {
		missing := unmet(v.classes[o.Class], s.Needs, s.Published)
		if len(missing) == 0 {
			left = append(left, o)
		} else if fewest == nil || len(missing) < len(fewest) {
			fewest = missing
		}
	}
	if len(left) > 0 {
		return left, stream.Reason{}
	}
	return nil, chain.explain(s.Instance, fewest)
}

// Chain is what must be known of the rest of its chain to say what a slot waits for.
type Chain struct {
	Slots     []string                 // in chain order
	Classes   map[string][]Class       // slot → classes of its type
	Needs     map[string][]stream.Need // slot → what its item waits for
	Published map[stream.Need]bool     // by any slot of the chain, ever
}

// explain says what the slot waits for, and when waiting is in vain.
func (c Chain) explain(slot string, needs []stream.Need) stream.Reason {
	for _, n := range needs {
		if !slices.Contains(c.Slots, n.Slot) {
			return stream.Because(stream.CodeNeedsLost, "needs", n.String(), "slot", n.Slot)
		}
	}
	if cycle := c.cycle(stream.SlotOf(slot)); cycle != nil {
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
func (c Chain) cycle(slot string) []string {
	path, seen := []string{slot}, map[string]bool{}
	var walk func(at string) bool
	walk = func(at string) bool {
		for _, next := range c.waitsFor(at) {
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
func (c Chain) waitsFor(slot string) []string {
	var fewest []stream.Need
	for _, class := range c.Classes[slot] {
		if class.Rule == nil {
			continue
		}
		missing := unmet(class, c.Needs[slot], c.Published)
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
