package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stream-api/stream"
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

// Unseat gives a place back at once; it is no error to have none.
func (s *Store) Unseat(ctx context.Context, id string) error {
	if err := s.client.ZRem(ctx, s.key("seats"), id).Err(); err != nil {
		return fmt.Errorf("give the seat back: %w", err)
	}
	return nil
}

// Seated lists who has a place, by id.
func (s *Store) Seated(ctx context.Context) ([]string, error) {
	ids, err := s.client.ZRange(ctx, s.key("seats"), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read seats: %w", err)
	}
	slices.Sort(ids)
	return ids, nil
}

// Turn tells whether the caller is the first in ttl to ask for the named turn:
// work that any scheduler may do but one should.
func (s *Store) Turn(ctx context.Context, name, id string, ttl time.Duration) (bool, error) {
	at := s.key("turn", name)
	first, err := s.client.SetNX(ctx, at, id, ttl).Result()
	if err != nil {
		return false, fmt.Errorf("take turn %s: %w", name, err)
	}
	if first {
		return true, nil
	}
	left, err := s.client.TTL(ctx, at).Result()
	if err == nil && left == -1 { // a hand wrote it: such a turn would never end
		if _, err = s.putAside(ctx, stream.OddKey{Key: at, Should: "string"}); err == nil {
			err = s.client.Expire(ctx, at, ttl).Err()
		}
	}
	if err != nil {
		return false, fmt.Errorf("take turn %s: %w", name, err)
	}
	return false, nil
}
