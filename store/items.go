package store

import (
	"context"
	"errors"
	"fmt"
)

// MaxItems is how many items one call tells, ItemBytes how long one may be.
const (
	MaxItems  = 10
	ItemBytes = 1024
)

// ErrFull: as many jobs for items of the slot are open as may be; come again when some are done.
var ErrFull = errors.New("no more jobs may be open")

// TellItems makes what comes after items of a running instance, at most MaxItems at once; an
// item is made once for each token. open is how many such jobs its slot has now. Errors:
// ErrFull, and none was made; ErrStale, when it is not this holder's any more: then they are
// told with its end.
func (s *Store) TellItems(ctx context.Context, v Reservation, incarnation string, items []string) (open int, err error) {
	if len(items) > MaxItems {
		return 0, fmt.Errorf("%d items at once: %d at most", len(items), MaxItems)
	}
	args := []any{v.Key, v.Instance, v.Host, v.Token, incarnation, len(items)}
	for _, item := range items {
		args = append(args, item)
	}
	r, err := s.call(ctx, "items", args...)
	if err != nil {
		return 0, err
	}
	switch r.status() {
	case "ok":
		return int(r.num(1)), nil
	case "full":
		return int(r.num(1)), fmt.Errorf("items of %s/%s: %w", v.Key, v.Instance, ErrFull)
	case "stale":
		return 0, fmt.Errorf("items of %s/%s: %w", v.Key, v.Instance, ErrStale)
	}
	return 0, r.unexpected("items")
}
