package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// EndMove ends a wish to move: done if there is no reason, else given up because
// of it, which the slot then shows. It returns what is to be stopped. Errors:
// ErrStale (it ended already), *HoldError.
func (s *Store) EndMove(ctx context.Context, m Move, reason stream.Reason) ([]Reservation, error) {
	r, err := s.call(ctx, "endmove", m.Key, m.Instance, m.Token, reason.Wire())
	if err != nil {
		return nil, err
	}
	switch r.status() {
	case "ok":
		return readReservations(r.rows(1)), nil
	case "stale":
		return nil, fmt.Errorf("end the move of %s/%s: %w", m.Key, m.Instance, ErrStale)
	case "hold":
		return nil, &HoldError{Reason: r.reason(1)}
	}
	return nil, r.unexpected("endmove")
}
