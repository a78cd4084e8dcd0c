package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// ReplacedError says that the store knows another incarnation of a host than
// the one that speaks: a later one, or an earlier one if the store was set
// back to older data. It is an ErrStale.
type ReplacedError struct{ Host, Incarnation string }

func (e *ReplacedError) Error() string {
	return fmt.Sprintf("heartbeat of %s: %v: the store knows its incarnation %s", e.Host, ErrStale, e.Incarnation)
}

func (e *ReplacedError) Unwrap() error { return ErrStale }

// Heartbeat renews the holder's lease. Errors: ErrUnknownHost (register
// again), *ReplacedError.
func (s *Store) Heartbeat(ctx context.Context, h Holder) (Beat, error) {
	r, err := s.call(ctx, "heartbeat", h.Host, h.Incarnation)
	if err != nil {
		return Beat{}, err
	}
	switch r.status() {
	case "ok":
		return Beat{Now: r.num(1), Rev: r.num(2), State: stream.HostState(r.str(3))}, nil
	case "unknown":
		return Beat{}, fmt.Errorf("heartbeat of %s: %w", h.Host, ErrUnknownHost)
	case "stale":
		return Beat{}, &ReplacedError{Host: h.Host, Incarnation: r.str(1)}
	}
	return Beat{}, r.unexpected("heartbeat")
}
