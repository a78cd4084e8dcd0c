package scheduler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

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
func (b *ruleBook) rules(ctx context.Context, t string) ([]placement.Class, error) {
	classes, err := b.store.Classes(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("classes of %s: %w", t, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.compiled) > maxCompiled {
		clear(b.compiled)
	}
	rules := make([]placement.Class, 0, len(classes))
	for _, id := range slices.Sorted(maps.Keys(classes)) {
		rule, known := b.compiled[id]
		// By hand, a class may stand under an id that is not its own.
		if !known || rule != nil && rule.Class != classes[id] {
			if rule, err = classes[id].Compile(); err != nil {
				rule = nil // readService says so on the service
			}
			b.compiled[id] = rule
		}
		rules = append(rules, placement.Class{ID: id, Rule: rule})
	}
	return rules, nil
}
