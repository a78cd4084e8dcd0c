package store

import (
	"context"
	"fmt"
	"time"
)

// Unassign takes back a reservation that nobody claimed and keeps the slot
// off its host for avoid. Errors: ErrStale (claimed meanwhile), *HoldError.
func (s *Store) Unassign(ctx context.Context, v Reservation, avoid time.Duration, reason string) error {
	r, err := s.call(ctx, "unassign", v.Key, v.Slot, v.Type, v.Token, avoid.Milliseconds(), reason)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "stale":
		return fmt.Errorf("unassign %s/%s: %w", v.Key, v.Slot, ErrStale)
	case "hold":
		return &HoldError{Reason: r.str(1)}
	}
	return r.unexpected("unassign")
}
