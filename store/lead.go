package store

import (
	"context"
	"fmt"
)

// Lead has the successor of a running instance take its place: it leads if the
// other did, which is then to be stopped, and the move is over. next is the
// successor's token. Errors: ErrStale, *HoldError.
func (s *Store) Lead(ctx context.Context, v Reservation, next string) (Commands, error) {
	r, err := s.call(ctx, "lead", v.Key, v.Instance, v.Token, next)
	if err != nil {
		return Commands{}, err
	}
	switch r.status() {
	case "ok":
		return Commands{Stops: readReservations(r.rows(1)), Updates: readReservations(r.rows(2))}, nil
	case "stale":
		return Commands{}, fmt.Errorf("lead %s/%s: %w", v.Key, v.Instance, ErrStale)
	case "hold":
		return Commands{}, &HoldError{Reason: r.reason(1)}
	}
	return Commands{}, r.unexpected("lead")
}
