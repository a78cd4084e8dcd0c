package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Restart asks the host of a running instance, or of the one that leads the slot of
// that name, to start its child anew; with stale
// only if its environment would now differ. asked tells whether that was so.
// Errors: ErrNotFound, *MoveError for a slot that does not run.
func (s *Store) Restart(ctx context.Context, key, instance string, stale bool) (asked bool, err error) {
	r, err := s.call(ctx, "restart", key, instance, bit(stale))
	if err != nil {
		return false, err
	}
	name := fmt.Sprintf("%s of %s", instance, stream.Quote(key))
	switch r.status() {
	case "ok":
		return true, nil
	case "fresh":
		return false, nil
	case "not":
		if r.str(1) == "" {
			return false, fmt.Errorf("%s: %w", name, ErrNotFound)
		}
		return false, &MoveError{moveIdle, fmt.Sprintf("%s is %s; only what runs can be restarted", name, r.str(1))}
	}
	return false, r.unexpected("restart")
}
