package store

import (
	"context"
	"fmt"
)

// Publish makes vars the whole set of variables the slot offers to the others
// of its stream. It returns the running slots to be told, none if nothing
// changed. Error: ErrStale.
func (s *Store) Publish(ctx context.Context, v Reservation, incarnation string, vars map[string]string) ([]Reservation, error) {
	r, err := s.call(ctx, "publish", pairs([]any{v.Key, v.Instance, v.Host, v.Token, incarnation}, vars)...)
	if err != nil {
		return nil, err
	}
	switch r.status() {
	case "ok":
		return readReservations(r.rows(1)), nil
	case "same":
		return nil, nil
	case "stale":
		return nil, fmt.Errorf("publish %s/%s: %w", v.Key, v.Instance, ErrStale)
	}
	return nil, r.unexpected("publish")
}
