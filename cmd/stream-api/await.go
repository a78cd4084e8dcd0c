package main

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
)

// errInterrupted ends a wait; what was asked for goes on without it.
var errInterrupted = errors.New("interrupted; what was asked for goes on")

// noRoom is a failure for want of capacity or time.
func noRoom(err error) error { return exitError{code: exitNoRoom, err: err} }

// await asks done until it says so or fails: at each hint of a change, at most
// ten times a second, and otherwise every half second.
func await(ctx context.Context, s *store.Store, done func(context.Context) (bool, error)) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	hints := s.Hints(waiting)
	for {
		over, err := done(ctx)
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil || over:
			return err
		case !pauseFor(ctx, hints, 100*time.Millisecond, 500*time.Millisecond):
			return errInterrupted
		}
	}
}
