package store

import (
	"context"
	"fmt"
)

// Shadow puts the successor of a running slot in line: the slot
// m.Slot+stream.ShadowSuffix, for any host but m.Host. It is no error if there
// is one. Errors: ErrStale, *HoldError.
func (s *Store) Shadow(ctx context.Context, m Move) error {
	r, err := s.call(ctx, "shadow", m.Key, m.Slot, m.Type, m.Token, m.Target)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok", "busy":
		return nil
	case "stale":
		return fmt.Errorf("shadow %s/%s: %w", m.Key, m.Slot, ErrStale)
	case "hold":
		return &HoldError{Reason: r.reason(1)}
	}
	return r.unexpected("shadow")
}
