package store

import (
	"context"
	"fmt"
)

// Yielded is what Yield answers.
type Yielded int

// The answers of Yield.
const (
	// Stay: there is no room elsewhere.
	Stay Yielded = iota
	// Asked: the holder was asked to stop it.
	Asked
	// Wait: what room there is was promised to others that are on their way.
	Wait
)

// Yield has the holder of a slot stop its child and give the slot back, to be
// placed elsewhere. Unless forced it does so only if one of classes has room
// elsewhere (on m.Target, if that is a host). Errors: ErrStale, *HoldError.
func (s *Store) Yield(ctx context.Context, m Move, force bool, classes []string) (Yielded, error) {
	args := []any{m.Key, m.Slot, m.Type, m.Token, m.Target, bit(force)}
	r, err := s.call(ctx, "yield", strList(args, classes)...)
	if err != nil {
		return Stay, err
	}
	switch r.status() {
	case "ok":
		return Asked, nil
	case "stay":
		return Stay, nil
	case "wait":
		return Wait, nil
	case "stale":
		return Stay, fmt.Errorf("yield %s/%s: %w", m.Key, m.Slot, ErrStale)
	case "hold":
		return Stay, &HoldError{Reason: r.str(1)}
	}
	return Stay, r.unexpected("yield")
}
