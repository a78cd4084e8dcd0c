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
	return s.cordon(ctx, host, state, 0, 0)
}

// AtATime is how many slots a drain moves at once unless it is told otherwise.
const AtATime = 4

// Drain has the schedulers hand over what a host holds, atATime slots at once (0:
// AtATime), each further one only when one of them runs elsewhere, and never two
// of a stream of which one waits for what the other publishes. What could not be handed over within
// deadline is stopped then, room elsewhere or not; 0 waits as long as it
// takes. The host takes nothing new until it is set Up. Error: ErrNotFound.
func (s *Store) Drain(ctx context.Context, host string, deadline time.Duration, atATime int) error {
	if atATime <= 0 {
		atATime = AtATime
	}
	return s.cordon(ctx, host, stream.Draining, deadline, atATime)
}

func (s *Store) cordon(ctx context.Context, host string, state stream.HostState, deadline time.Duration, atATime int) error {
	r, err := s.call(ctx, "cordon", host, string(state), deadline.Milliseconds(), atATime)
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
