package store

import "context"

// Fence notices a store that was restarted, emptied or set back, opening a hold
// if so. It returns the server's time in milliseconds.
func (s *Store) Fence(ctx context.Context) (int64, error) {
	r, err := s.call(ctx, "fence", nonce(), s.ttl.Milliseconds(), s.beat.Milliseconds())
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("fence")
	}
	return r.num(1), nil
}
