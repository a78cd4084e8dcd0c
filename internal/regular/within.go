package regular

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrHangs: the file system does not answer.
var ErrHangs = errors.New("the file system does not answer")

// hanging are the paths of the calls that were left behind.
var hanging sync.Map

// Within calls f, which asks the file system for path, and waits for it no longer than patience: then, and for each call
// for that path until f has returned, the error is ErrHangs. f goes on by itself and may share nothing with its caller.
// What it opened is let go of by discard, if that is not nil.
func Within[T any](patience time.Duration, path string, f func() (T, error), discard func(T)) (T, error) {
	var none T
	if _, hangs := hanging.Load(path); hangs {
		return none, fmt.Errorf("%s: %w, as the last time", path, ErrHangs)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	var mu sync.Mutex
	left, ended := false, false
	go func() {
		value, err := f()
		done <- result{value, err}
		mu.Lock()
		defer mu.Unlock()
		ended = true
		if !left {
			return
		}
		hanging.Delete(path)
		if err == nil && discard != nil {
			discard(value)
		}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
	}
	mu.Lock()
	defer mu.Unlock()
	if ended {
		r := <-done
		return r.value, r.err
	}
	left = true
	hanging.Store(path, true)
	return none, fmt.Errorf("%s: %w within %v", path, ErrHangs, patience)
}
