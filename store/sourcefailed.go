package store

import (
	"context"
	"fmt"
	"time"
)

// SourceFailed says that a poll failed or could not be read. The source is
// unknown if no other poller had a good poll for patience; nothing is gone.
// Error: *SourceTakenError.
func (s *Store) SourceFailed(ctx context.Context, source string, info SourceInfo, poller, problem string, patience time.Duration) error {
	r, err := s.call(ctx, "sourcefailed", source, info.Identity(), poller, problem, patience.Milliseconds())
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "taken":
		return &SourceTakenError{Source: source, Identity: r.str(1), Poller: r.str(2)}
	}
	return fmt.Errorf("sourcefailed %s: %w", source, r.unexpected("sourcefailed"))
}
