package store

import (
	"context"
	"fmt"
)

// Yield has the holder of a slot stop its child and give the slot back, to be
// placed elsewhere. Unless forced it does so only if one of classes has room
// elsewhere (on m.Target, if that is a host), and reports whether. Errors:
// ErrStale, *HoldError.
func (s *Store) Yield(ctx context.Context, m Move, force bool, classes []string) (asked bool, err error) {
	args := []any{m.Key, m.Slot, m.Type, m.Token, m.Target, bit(force)}
	r, err := s.call(ctx, "yield", strList(args, classes)...)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		return true, nil
	case "stay":
		return false, nil
	case "stale":
		return false, fmt.Errorf("yield %s/%s: %w", m.Key, m.Slot, ErrStale)
	case "hold":
		return false, &HoldError{Reason: r.str(1)}
	}
	return false, r.unexpected("yield")
}
