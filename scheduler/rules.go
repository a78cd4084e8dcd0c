package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"stream-api/store"
	"stream-api/stream"
)

// classRule is one class of a type, ready to be asked.
type classRule struct {
	id   string
	rule *stream.Rule // nil: the class is nonsense, its services take nothing
}

// ruleBook compiles classes once: an id is the digest of its class.
type ruleBook struct {
	store *store.Store

	mu       sync.Mutex
	compiled map[string]*stream.Rule // nil for nonsense
}

// maxCompiled bounds the memory of classes that hosts once had.
const maxCompiled = 10_000

func newRuleBook(s *store.Store) *ruleBook {
	return &ruleBook{store: s, compiled: map[string]*stream.Rule{}}
}

// rules reads the classes of a type, in the order of their ids.
func (b *ruleBook) rules(ctx context.Context, t string) ([]classRule, error) {
	classes, err := b.store.Classes(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("classes of %s: %w", t, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.compiled) > maxCompiled {
		clear(b.compiled)
	}
	rules := make([]classRule, 0, len(classes))
	for _, id := range slices.Sorted(maps.Keys(classes)) {
		rule, known := b.compiled[id]
		// By hand, a class may stand under an id that is not its own.
		if !known || rule != nil && rule.Class != classes[id] {
			if rule, err = classes[id].Compile(); err != nil {
				rule = nil // readService says so on the service
			}
			b.compiled[id] = rule
		}
		rules = append(rules, classRule{id: id, rule: rule})
	}
	return rules, nil
}

// needsOf are the distinct variables that services of these classes wait for.
func needsOf(rules []classRule) []stream.Need {
	seen := map[stream.Need]bool{}
	for _, r := range rules {
		if r.rule == nil {
			continue
		}
		for _, n := range r.rule.Needs() {
			seen[n] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), compareNeeds)
}

func compareNeeds(a, b stream.Need) int {
	return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Var, b.Var))
}

// candidates are the classes that may take a slot of the stream now: their
// filter admits it and all they need is published. Those that ask for the
// stream come first, those that prefer others last.
func candidates(key string, published map[stream.Need]bool, rules []classRule) []store.Candidate {
	var out []store.Candidate
	for _, r := range rules {
		if r.rule == nil {
			continue
		}
		tier, ok := r.rule.Admits(key)
		if ok && len(unmet(r.rule, published)) == 0 {
			out = append(out, store.Candidate{Tier: tier, Class: r.id})
		}
	}
	slices.SortStableFunc(out, func(a, b store.Candidate) int { return cmp.Compare(a.Tier, b.Tier) })
	return out
}

// unmet are the variables the class needs that nobody has published yet. A
// value of an earlier holder counts: a missing upstream stops nobody.
func unmet(r *stream.Rule, published map[stream.Need]bool) []stream.Need {
	var out []stream.Need
	for _, n := range r.Needs() {
		if !published[n] {
			out = append(out, n)
		}
	}
	return out
}
