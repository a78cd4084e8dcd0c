package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// dropQuiet is for how long nobody may have polled a source that is dropped, or
// three of its intervals if that is longer. Pollers of a dead ingest speak more
// often.
const dropQuiet = 40 * time.Second

// PolledError says that a source is still polled.
type PolledError struct {
	Source, Poller string
	Ago            time.Duration
}

func (e *PolledError) Error() string {
	return fmt.Sprintf("source %s was polled by %s %v ago: take it out of that host's file first, and send it a HUP", e.Source, e.Poller, e.Ago.Round(time.Second))
}

// DropSource forgets a source that nobody polls any more and takes back what it
// announces; it returns how many streams that were. Errors: ErrNotFound,
// *PolledError.
func (s *Store) DropSource(ctx context.Context, source string) (int, error) {
	r, err := s.call(ctx, "dropsource", source, dropQuiet.Milliseconds())
	if err != nil {
		return 0, err
	}
	switch r.status() {
	case "ok":
		return int(r.num(1)), nil
	case "absent":
		return 0, fmt.Errorf("source %s: %w", stream.Quote(source), ErrNotFound)
	case "polled":
		return 0, &PolledError{Source: source, Poller: r.str(1), Ago: time.Duration(r.num(2)) * time.Millisecond}
	}
	return 0, r.unexpected("dropsource")
}
