package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// Forget removes what is known of a host that is down for at least after and
// holds nothing; it reports whether it did.
func (s *Store) Forget(ctx context.Context, host string, after time.Duration) (bool, error) {
	r, err := s.call(ctx, "forget", host, after.Milliseconds())
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		return true, nil
	case "stays":
		return false, nil
	}
	return false, r.unexpected("forget")
}

// InUseError says why a host is not forgotten.
type InUseError struct {
	Host  string
	Lease time.Duration // how long its lease runs on; 0: it lapsed
	Slots int           // it holds, though its lease lapsed
}

func (e *InUseError) Error() string {
	if e.Lease > 0 {
		return fmt.Sprintf("host %s lives, its lease runs for %v: have it hand over what it holds and end it, then come again: stream-api hosts drain %s --wait",
			e.Host, e.Lease.Round(100*time.Millisecond), e.Host)
	}
	return fmt.Sprintf("host %s holds %d slots: they are taken back when its lease has lapsed, a scheduler looks, and nothing is on hold (stream-api status says so); come again then",
		e.Host, e.Slots)
}

// ForgetGone removes what is known of a host that will not come back, whatever
// an operator said of it. Errors: ErrNotFound, *InUseError.
func (s *Store) ForgetGone(ctx context.Context, host string) error {
	r, err := s.call(ctx, "forget", host, "")
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		return nil
	case "absent":
		return fmt.Errorf("host %s: %w", stream.Quote(host), ErrNotFound)
	case "lives":
		return &InUseError{Host: host, Lease: time.Duration(r.num(1)) * time.Millisecond}
	case "holds":
		return &InUseError{Host: host, Slots: int(r.num(1))}
	}
	return r.unexpected("forget")
}
