package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Heartbeat renews the holder's lease. Errors: ErrUnknownHost (register
// again), ErrStale (another incarnation took over).
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
		return Beat{}, fmt.Errorf("heartbeat of %s: %w: incarnation %s took over", h.Host, ErrStale, r.str(1))
	}
	return Beat{}, r.unexpected("heartbeat")
}
