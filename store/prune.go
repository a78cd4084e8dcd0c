package store

import (
	"context"
	"maps"
	"slices"
)

// PruneClasses forgets the classes of a type that no service has any more.
// inUse are those that some service had a moment ago.
func (s *Store) PruneClasses(ctx context.Context, t string, inUse map[string]bool) error {
	classes, err := s.Classes(ctx, t)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(classes)) {
		if inUse[id] {
			continue
		}
		r, err := s.call(ctx, "prune", t, id)
		if err != nil {
			return err
		}
		if r.status() != "ok" {
			return r.unexpected("prune")
		}
	}
	return nil
}
