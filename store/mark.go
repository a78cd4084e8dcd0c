package store

import (
	"cmp"
	"context"
	"errors"
)

// MarkDirty asks the schedulers to look at streams again.
func (s *Store) MarkDirty(ctx context.Context, keys ...string) error {
	const chunk = 500
	for len(keys) > 0 {
		n := min(len(keys), chunk)
		calls := make([][]any, n)
		for i, key := range keys[:n] {
			calls[i] = []any{key}
		}
		keys = keys[n:]
		replies, refused, err := s.callMany(ctx, "mark", calls)
		if err := cmp.Or(err, errors.Join(refused...)); err != nil {
			return err
		}
		for _, r := range replies {
			if r.status() != "ok" {
				return r.unexpected("mark")
			}
		}
	}
	return nil
}
