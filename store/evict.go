package store

import (
	"context"
	"fmt"
)

// Eviction is what Evict answers.
type Eviction int

// The answers of Evict.
const (
	// Stay: there is no room elsewhere.
	Stay Eviction = iota
	// Asked: the holder was asked to stop it.
	Asked
	// Wait: what room there is was promised to others that are on their way.
	Wait
)

// Evict has the holder of a slot stop its child and give the slot back, to be
// placed elsewhere. Unless forced it does so only if one of classes has room
// elsewhere (on m.Target, if that is a host). Errors: ErrStale, *HoldError.
func (s *Store) Evict(ctx context.Context, m Move, force bool, classes []string) (Eviction, error) {
	return s.evict(ctx, m, bit(force), classes)
}

// MayEvict is what Evict would answer, and asks nobody.
func (s *Store) MayEvict(ctx context.Context, m Move, classes []string) (Eviction, error) {
	return s.evict(ctx, m, "look", classes)
}

func (s *Store) evict(ctx context.Context, m Move, word string, classes []string) (Eviction, error) {
	args := []any{m.Key, m.Instance, m.Type, m.Token, m.Target, word}
	r, err := s.call(ctx, "evict", strList(args, classes)...)
	if err != nil {
		return Stay, err
	}
	switch r.status() {
	case "ok":
		return Asked, nil
	case "stay":
		return Stay, nil
	case "wait":
		return Wait, nil
	case "stale":
		return Stay, fmt.Errorf("evict %s/%s: %w", m.Key, m.Instance, ErrStale)
	case "hold":
		return Stay, &HoldError{Reason: r.reason(1)}
	}
	return Stay, r.unexpected("evict")
}
