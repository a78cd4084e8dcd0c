package store

import "context"

// Look notices a store that was restarted, emptied or set back, opening a hold
// if so. It returns the server's time in milliseconds.
func (s *Store) Look(ctx context.Context) (int64, error) {
	r, err := s.call(ctx, "look", nonce(), s.ttl.Milliseconds(), s.beat.Milliseconds())
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("look")
	}
	return r.num(1), nil
}
