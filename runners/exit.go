package runners

import "errors"

// RefusedError says that this runner may not be the one of its host: another
// one is.
type RefusedError struct {
	Why string
	Err error // what the store or the state directory said
}

func (e *RefusedError) Error() string { return e.Why }

func (e *RefusedError) Unwrap() error { return e.Err }

// ExitCode is the process's exit code for it.
func (e *RefusedError) ExitCode() int { return 1 }

// ErrReplaced: another incarnation speaks for this host. The children of
// this one have been ended.
var ErrReplaced = errors.New("another incarnation took this host over; its children here were ended")
