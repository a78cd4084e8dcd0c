package store

import (
	"context"
	"fmt"
)

// Succeed puts the successor of a running instance in line: one more instance of
// its slot, for any host but m.Host. It is no error if there is one. Errors:
// ErrStale, *HoldError.
func (s *Store) Succeed(ctx context.Context, m Move) error {
	r, err := s.call(ctx, "succeed", m.Key, m.Instance, m.Token, m.Target)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok", "busy":
		return nil
	case "stale":
		return fmt.Errorf("succeed %s/%s: %w", m.Key, m.Instance, ErrStale)
	case "hold":
		return &HoldError{Reason: r.reason(1)}
	}
	return r.unexpected("succeed")
}
