package scheduler

import (
	"context"
	"time"

	"stream-api/store"
)

// mending does the work again at once if it was refused for a key that a hand made
// another type, once that is set aside.
func (s *Scheduler) mending(run func(context.Context) (time.Duration, error)) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		again, err := run(ctx)
		if s.putAside(ctx, err) {
			return run(ctx)
		}
		return again, err
	}
}

// putAside sets keys aside if err says that one is of the wrong type; it tells
// whether there were any.
func (s *Scheduler) putAside(ctx context.Context, err error) bool {
	if !store.IsWrongType(err) {
		return false
	}
	n, err := s.store.PutAside(ctx)
	if err != nil && s.talk.once("aside", time.Minute) {
		s.log.Warn().Err(err).Msg("a key that was made another type cannot be set aside; delete it")
	}
	if n == 0 {
		return false
	}
	s.cmd.Reset() // the list of queues may be among them
	s.log.Warn().Int("keys", n).Msg("keys that were made another type are set aside; see the events")
	return true
}
