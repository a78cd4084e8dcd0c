package store

import (
	"context"
	"time"
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
