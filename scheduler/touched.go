package scheduler

import (
	"maps"
	"slices"
	"sync"
)

// touchedTypes are the types whose queues are worth a pass at once.
type touchedTypes struct {
	mu    sync.Mutex
	types map[string]bool
	needy bool // those with services that wait for variables, too
}

func (t *touchedTypes) add(types ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.types == nil {
		t.types = map[string]bool{}
	}
	for _, name := range types {
		t.types[name] = true
	}
}

func (t *touchedTypes) addNeedy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.needy = true
}

func (t *touchedTypes) take() (types []string, needy bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	types, needy = slices.Sorted(maps.Keys(t.types)), t.needy
	t.types, t.needy = nil, false
	return types, needy
}
