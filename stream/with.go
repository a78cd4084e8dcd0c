package stream

import (
	"errors"
	"fmt"
	"slices"
)

// CheckWith says why a slot cannot be the sidecar that its item says, or nil. A chain
// in which each sidecar has a target that is none has no cycles.
func (m Items) CheckWith(chain []string, slot string) error {
	i := m[slot]
	target := i.With
	switch {
	case target == "":
		return nil
	case target == slot:
		return errors.New("a slot cannot be its own sidecar: name the slot on whose host it is to run")
	case !slices.Contains(chain, target):
		return fmt.Errorf("%s is a sidecar of %s, which is no slot of this chain: put that there, or name another", slot, Quote(target))
	case m[target].With == slot:
		return fmt.Errorf("%s is a sidecar of %s, and that of it: take one of the two away", target, slot)
	case m[target].With != "":
		return fmt.Errorf("%s is a sidecar itself: write with: %s, where both run then", target, m[target].With)
	case m[target].Each == EachHost:
		return fmt.Errorf("%s is one on every host, and such a slot has no sidecars: write each: %s of %s instead", target, EachHost, slot)
	case m.Copies(slot) > m.Copies(target):
		return fmt.Errorf("copy %d of it would have no copy of %s beside which to run, as that has %d: give it as many, or this one fewer", m.Copies(slot), target, m.Copies(target))
	}
	if word := i.besideWith(); word != "" {
		return fmt.Errorf("it runs where %s runs, so %s of its own says nothing: write it of %s", target, word, target)
	}
	return nil
}

// besideWith is a key that an item with a target must not have; empty: it has none.
func (i Item) besideWith() string {
	switch {
	case !i.Host.IsZero():
		return "host"
	case i.Apart != "":
		return "apart"
	case i.Each != "":
		return "each"
	case i.Spread != "":
		return "spread"
	case len(i.Near) > 0:
		return "near"
	}
	return ""
}
