package store

import (
	"context"

	"stream-api/stream"
)

// Heed is what comes of a service's check.
type Heed string

// What the store makes of it.
const (
	HeedWell    Heed = "well"
	HeedKept    Heed = "kept"    // it takes nothing new
	HeedIgnored Heed = "ignored" // it fails on more than half of the services of its type, so the checker is suspected
	HeedIdle    Heed = "idle"    // it fails, and the service would take nothing anyhow
)

// CheckService says how a host's service stands: what of its check fails, empty if it is
// well. Error: ErrStale.
func (s *Store) CheckService(ctx context.Context, h Holder, stype, fails string) (Heed, error) {
	r, err := s.call(ctx, "check", h.Host, h.Incarnation, stype, stream.Shown(fails))
	if err != nil {
		return "", err
	}
	switch r.status() {
	case "ok":
		return Heed(r.str(1)), nil
	case "stale":
		return "", ErrStale
	}
	return "", r.unexpected("check")
}
