package scheduler

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"stream-api/scheduler/placement"
)

// touchedTypes are the types whose queues are worth a pass at once.
type touchedTypes struct {
	mu    sync.Mutex
	types map[string]bool
	keys  map[string]bool // streams of which a slot published variables
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

func (t *touchedTypes) addVars(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]bool{}
	}
	t.keys[key] = true
}

func (t *touchedTypes) take() (types []string, keys map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	types, keys = slices.Sorted(maps.Keys(t.types)), t.keys
	t.types, t.keys = nil, nil
	return types, keys
}

// idleSlots are pending slots that were found waiting for variables, by type.
// Until a slot of their stream publishes something, passes between two thorough
// ones do not read them again: in a burst nearly all that is pending waits.
type idleSlots map[string]*idleType

// idleType holds those of one type, found under certain classes.
type idleType struct {
	classes string
	slots   map[idleInstance]bool
}

type idleInstance struct{ key, instance string }

// wakeUp forgets the slots of streams that published something, and gives their types.
func (i idleSlots) wakeUp(keys map[string]bool) (types []string) {
	if len(keys) == 0 {
		return nil
	}
	for name, t := range i {
		before := len(t.slots)
		for at := range t.slots {
			if keys[at.key] {
				delete(t.slots, at)
			}
		}
		if len(t.slots) < before {
			types = append(types, name)
		}
	}
	return types
}

// under gives the idle slots of a type, none if its classes are others now or
// all are to be read anew.
func (i idleSlots) under(t string, rules []placement.Class, anew bool) map[idleInstance]bool {
	ids := make([]string, len(rules))
	for k, r := range rules {
		ids[k] = r.ID
	}
	classes := strings.Join(ids, " ")
	if known := i[t]; known != nil && known.classes == classes && !anew {
		return known.slots
	}
	i[t] = &idleType{classes: classes, slots: map[idleInstance]bool{}}
	return i[t].slots
}
