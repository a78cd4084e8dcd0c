package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Again asks that streams be looked at again at the given times, server
// milliseconds. Asking anew replaces the time.
func (s *Store) Again(ctx context.Context, at map[string]int64) error {
	members := make([]redis.Z, 0, len(at))
	for key, ms := range at {
		members = append(members, redis.Z{Score: float64(ms), Member: key})
	}
	if len(members) == 0 {
		return nil
	}
	if err := s.client.ZAdd(ctx, s.key("later"), members...).Err(); err != nil {
		return fmt.Errorf("ask for a later look: %w", err)
	}
	return nil
}

// Later marks the streams whose time has come, n at most; it returns how many.
func (s *Store) Later(ctx context.Context, n int) (int, error) {
	r, err := s.call(ctx, "later", n)
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("later")
	}
	return int(r.num(1)), nil
}
