package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// Unassign takes back a reservation that nobody claimed and keeps the slot
// off its host for avoid. Errors: ErrStale (claimed meanwhile), *HoldError.
func (s *Store) Unassign(ctx context.Context, v Reservation, avoid time.Duration, reason stream.Reason) error {
	r, err := s.call(ctx, "unassign", v.Key, v.Instance, v.Type, v.Token, avoid.Milliseconds(), reason.Wire())
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "stale":
		return fmt.Errorf("unassign %s/%s: %w", v.Key, v.Instance, ErrStale)
	case "hold":
		return &HoldError{Reason: r.reason(1)}
	}
	return r.unexpected("unassign")
}
