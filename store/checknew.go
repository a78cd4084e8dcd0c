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
	return fmt.Sprintf("stream %s is announced by source %s, so adding it would change nothing: what that source announces wins, and its chain and priority follow from the source's chain and rules; "+
		"a slot more or less: stream-api streams slots %s SLOT=on; a variable: stream-api streams set %s NAME=VALUE; a second chain needs another key", e.Key, e.Source, e.Key, e.Key)
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
