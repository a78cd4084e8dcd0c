package store

import (
	"context"
	"fmt"
	"strings"
)

// NotRaisedError says who keeps a later layout from being in force.
type NotRaisedError struct {
	Layout, InForce int
	Who             []string // hosts and schedulers, each with what it speaks
}

func (e *NotRaisedError) Error() string {
	return fmt.Sprintf("layout %d is not put in force, %d stays: it is not spoken by %s; install the version of the rest there", e.Layout, e.InForce, strings.Join(e.Who, ", "))
}

// Raise puts the latest layout that this program speaks in force, if all who live
// speak it: hosts by their lease, schedulers by their seat. It tells whether that
// changed anything; what runs goes on in either case. Errors: *NotRaisedError,
// *HoldError.
func (s *Store) Raise(ctx context.Context) (raised bool, err error) {
	before, layout := s.Layout(), s.speaks.To
	r, err := s.call(ctx, "raise", layout)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		s.inForce(r.str(1))
		return s.Layout() > before, nil
	case "not":
		return false, &NotRaisedError{Layout: layout, InForce: int(r.num(1)), Who: r.strs(2)}
	case "hold":
		return false, &HoldError{Reason: r.reason(1)}
	}
	return false, r.unexpected("raise")
}
