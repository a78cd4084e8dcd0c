package main

import (
	"errors"
	"fmt"

	"stream-api/store"
)

// The exit codes are a contract with scripts.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitNoRoom   = 4
	exitStops    = 5
)

// exitError gives an error its exit code.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }
func (e exitError) ExitCode() int { return e.code }

func usageError(format string, args ...any) error {
	return exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// silentError has said what it had to say already.
type silentError struct{ error }

func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case errors.As(err, &coded):
		return coded.ExitCode()
	case errors.Is(err, store.ErrNotFound):
		return exitNotFound
	}
	return exitFailed
}
