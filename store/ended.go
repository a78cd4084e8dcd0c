package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// End is what a host knows of an instance of its own that ended for good: enough to make
// what comes after it in a store that knows nothing of it.
type End struct {
	Reservation
	Copy         // of its stream; Fields of a job are its own (JobFields.Fields), with Vars published by it
	Reason       stream.Reason
	Began, Ended time.Time // of its child
	// Done: a job ended with one of its done codes; nil: it did not, or it is none.
	Done *Done
	// Untold are items of its child that TellItems did not take.
	Untold []string
}

// TellEnded tells the store of an end that it may not have seen: of an instance that the
// host lost by assert, got no answer for, or that another life of the store was told of. It
// may be told any number of times, also while everything is on hold. Of a job only that it
// is done is told. Error: ErrStale, when another life of the host speaks.
func (s *Store) TellEnded(ctx context.Context, host, incarnation string, e End) error {
	code, began, ended := e.Done.args()
	if e.Done == nil {
		began, ended = e.Began.UnixMilli(), e.Ended.UnixMilli()
	}
	args := []any{host, incarnation, e.Key, e.Instance, e.Type, e.Token, e.Reason.Wire(), began, ended, code, e.Items.Encode()}
	args = pairs(pairs(args, e.Fields), e.Vars)
	args = append(args, len(e.Untold))
	for _, item := range e.Untold {
		args = append(args, item)
	}
	r, err := s.call(ctx, "ended", args...)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "stale":
		return fmt.Errorf("tell the end of %s/%s: %w", e.Key, e.Instance, ErrStale)
	}
	return r.unexpected("ended")
}
