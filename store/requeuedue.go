package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// RequeueAt asks that streams be reconciled again at the given times, server
// milliseconds. Asking anew replaces the time. Error: *LayoutError.
func (s *Store) RequeueAt(ctx context.Context, at map[string]int64) error {
	members := make([]redis.Z, 0, len(at))
	for key, ms := range at {
		members = append(members, redis.Z{Score: float64(ms), Member: key})
	}
	if len(members) == 0 {
		return nil
	}
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	if err := writer.ZAdd(ctx, s.key("requeue"), members...).Err(); err != nil {
		return fmt.Errorf("requeue streams: %w", err)
	}
	return nil
}

// RequeueDue marks the streams whose time has come, n at most; it returns how many.
func (s *Store) RequeueDue(ctx context.Context, n int) (int, error) {
	r, err := s.call(ctx, "requeuedue", n)
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("requeuedue")
	}
	return int(r.num(1)), nil
}
