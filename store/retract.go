package store

import "context"

// Retract takes one announcement back at once; it reports whether there was
// one.
func (s *Store) Retract(ctx context.Context, source, key string) (bool, error) {
	r, err := s.call(ctx, "retract", source, key, nonce())
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		return true, nil
	case "absent":
		return false, nil
	}
	return false, r.unexpected("retract")
}
