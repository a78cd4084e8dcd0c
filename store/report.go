package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Observation is what a host sees of a slot it runs, for people to read.
type Observation struct {
	// Event is recorded in the feed with Reason; empty: none.
	Event  string
	Reason stream.Reason
	// Fields to set: restarts, reason (a wire), exit, stderr, speed, fps, stale,
	// up (since how many ms others may build on the child; empty while they may not),
	// phase (a stream.Phase; with it since is set, where it begins or ends),
	// restart (only to take an operator's wish away), ran ("1": the child ran under this
	// token; it stays so), tries (of a job, how often it began).
	// An empty value removes one.
	Fields map[string]string
}

// Report writes an observation down. Error: ErrStale.
func (s *Store) Report(ctx context.Context, v Reservation, incarnation string, o Observation) error {
	r, err := s.call(ctx, "report", pairs([]any{v.Key, v.Instance, v.Host, v.Token, incarnation, o.Event, o.Reason.Wire()}, o.Fields)...)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "stale":
		return fmt.Errorf("report %s/%s: %w", v.Key, v.Instance, ErrStale)
	}
	return r.unexpected("report")
}
