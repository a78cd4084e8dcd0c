package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Cordon sets what a host may do: stream.Up, Cordoned or Draining. It stays
// over restarts. Error: ErrNotFound.
func (s *Store) Cordon(ctx context.Context, host string, state stream.HostState) error {
	r, err := s.call(ctx, "cordon", host, string(state))
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "absent":
		return fmt.Errorf("host %s: %w", host, ErrNotFound)
	}
	return r.unexpected("cordon")
}
