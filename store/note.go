package store

import "context"

// Note writes down why a pending slot waits; it reports whether that was news.
func (s *Store) Note(ctx context.Context, key, slot, reason string) (news bool, err error) {
	r, err := s.call(ctx, "note", key, slot, reason)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		return true, nil
	case "same", "gone":
		return false, nil
	}
	return false, r.unexpected("note")
}
