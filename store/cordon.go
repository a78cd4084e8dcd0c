package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// Cordon sets what a host may do: stream.Up, Cordoned or Draining. It stays
// over restarts. Error: ErrNotFound.
func (s *Store) Cordon(ctx context.Context, host string, state stream.HostState) error {
	return s.cordon(ctx, host, state, 0)
}

// Drain has the schedulers hand over what a host holds, slot by slot, the next
// only when the last runs elsewhere. What could not be handed over within
// deadline is stopped then, room elsewhere or not; 0 waits as long as it
// takes. The host takes nothing new until it is set Up. Error: ErrNotFound.
func (s *Store) Drain(ctx context.Context, host string, deadline time.Duration) error {
	return s.cordon(ctx, host, stream.Draining, deadline)
}

func (s *Store) cordon(ctx context.Context, host string, state stream.HostState, deadline time.Duration) error {
	r, err := s.call(ctx, "cordon", host, string(state), deadline.Milliseconds())
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
