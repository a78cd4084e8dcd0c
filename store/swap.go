package store

import (
	"context"
	"fmt"
)

// Swap exchanges the names of a running slot and its running successor, which
// has the token next. The old one is then to be stopped. Errors: ErrStale,
// *HoldError.
func (s *Store) Swap(ctx context.Context, v Reservation, next string) (Commands, error) {
	r, err := s.call(ctx, "swap", v.Key, v.Slot, v.Type, v.Token, next)
	if err != nil {
		return Commands{}, err
	}
	switch r.status() {
	case "ok":
		var c Commands
		if row, ok := r[1].([]any); ok {
			c.Stops = []Reservation{readReservation(row)}
		}
		c.Updates = readReservations(r.rows(2))
		return c, nil
	case "stale":
		return Commands{}, fmt.Errorf("swap %s/%s: %w", v.Key, v.Slot, ErrStale)
	case "hold":
		return Commands{}, &HoldError{Reason: r.reason(1)}
	}
	return Commands{}, r.unexpected("swap")
}
