package store

import (
	"context"
)

// Elsewhere tells whether giving a running instance up would help, as Release with
// OnlyIfRoom decides it: nothing is on hold, the instance did not fail on another
// host lately, and a host that is neither its own nor avoided has room in one of
// the classes, MaxClasses at most. It changes nothing, and may be out of date at
// once.
func (s *Store) Elsewhere(ctx context.Context, v Reservation, classes []string) (bool, error) {
	r, err := s.elsewhere(ctx, v, classes)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "yes":
		return true, nil
	case "no", "hold":
		return false, nil
	}
	return false, r.unexpected("elsewhere")
}

func (s *Store) elsewhere(ctx context.Context, v Reservation, classes []string) (reply, error) {
	return s.call(ctx, "elsewhere", strList([]any{v.Key, v.Instance, v.Type, v.Host}, classes)...)
}
