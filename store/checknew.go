package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// AnnouncedError refuses to add a stream by hand that a source announces: what
// the source says of it would hold, and nothing would change.
type AnnouncedError struct{ Key, Source string }

func (e *AnnouncedError) Error() string {
	return fmt.Sprintf("stream %s is announced by source %s, so adding it would change nothing: its chain and priority follow from the chain and the rules of that source; "+
		"variables are set by `stream-api streams set %s NAME=VALUE`, and a second chain needs another key", e.Key, e.Source, e.Key)
}

// CheckNew refuses a key that another source than ManualSource announces.
// Error: *AnnouncedError.
func (s *Store) CheckNew(ctx context.Context, key string) error {
	declared, err := s.Declared(ctx, key)
	if err != nil {
		return err
	}
	for _, source := range slices.Sorted(maps.Keys(declared.BySource)) {
		if source != ManualSource {
			return &AnnouncedError{Key: key, Source: source}
		}
	}
	return nil
}
