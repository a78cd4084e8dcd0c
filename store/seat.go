package store

import (
	"context"
	"time"
)

// Seat takes or renews one of n busy places among the schedulers for ttl.
func (s *Store) Seat(ctx context.Context, id string, n int, ttl time.Duration) (bool, error) {
	r, err := s.call(ctx, "seat", id, n, ttl.Milliseconds())
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "seated":
		return true, nil
	case "standby":
		return false, nil
	}
	return false, r.unexpected("seat")
}
