package store

import (
	"context"
	"fmt"
)

// Leave takes the host out of service, and its lease away once it holds
// nothing; it returns how many slots it still holds. Error: ErrStale.
func (s *Store) Leave(ctx context.Context, h Holder) (held int, err error) {
	r, err := s.call(ctx, "leave", h.Host, h.Incarnation)
	if err != nil {
		return 0, err
	}
	switch r.status() {
	case "left":
		return 0, nil
	case "holds":
		return int(r.num(1)), nil
	case "stale":
		return 0, fmt.Errorf("leave of %s: %w", h.Host, ErrStale)
	}
	return 0, r.unexpected("leave")
}
