package store

import "context"

// MarkDirty asks the schedulers to look at a stream again.
func (s *Store) MarkDirty(ctx context.Context, key string) error {
	r, err := s.call(ctx, "mark", key)
	if err != nil {
		return err
	}
	if r.status() != "ok" {
		return r.unexpected("mark")
	}
	return nil
}
