package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Spoken are the layouts of keys that this program speaks. A later layout comes in
// two releases: the first speaks both, To one more, and its scripts ask which is in
// force; the second raises From. In between a scheduler puts the later one in
// force (Raise), once all who live speak it.
var Spoken = stream.Layouts{From: 2, To: 2}

// LayoutError says that the store's layout is none of those this program speaks.
type LayoutError struct {
	InForce string // as the store has it; no number if a hand wrote it
	Speaks  stream.Layouts
	Key     string // that holds it
}

func (e *LayoutError) Error() string {
	n, err := strconv.Atoi(e.InForce)
	switch {
	case err != nil:
		return fmt.Sprintf("key %s holds %s, which is no layout: if a hand wrote it, SET it to the number that `stream-api version` prints on the hosts that run", stream.Quote(e.Key), stream.Quote(e.InForce))
	case n > e.Speaks.To:
		return fmt.Sprintf("the store is in layout %d and this program speaks %v: install the version that the other hosts run (stream-api hosts ls), or use another namespace", n, e.Speaks)
	}
	return fmt.Sprintf("the store is in layout %d and this program speaks %v: first run a version that speaks both on all hosts until the store is in %d (stream-api doctor), "+
		"or stop all hosts and empty it, or use another namespace", n, e.Speaks, e.Speaks.From)
}

func (e *LayoutError) Unwrap() error { return ErrSchema }

// Speaks are the layouts that this program speaks.
func (s *Store) Speaks() stream.Layouts { return s.speaks }

// Layout is the layout last known to be in force; before the store was reached, the
// earliest that this program speaks.
func (s *Store) Layout() int {
	if n := int(s.layout.Load()); n != 0 {
		return n
	}
	return s.speaks.From
}

func (s *Store) inForce(text string) {
	if n, err := strconv.Atoi(text); err == nil && s.speaks.Speaks(n) {
		s.layout.Store(int64(n))
	}
}

func (s *Store) foreign(text string) error {
	return &LayoutError{InForce: text, Speaks: s.speaks, Key: s.key("schema")}
}

// Check reaches the store and compares its layout with those that this program
// speaks. It writes nothing: a store without a layout holds nothing yet. Error:
// *LayoutError.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.compare(ctx)
	return err
}

// Begin is Check for who is about to write: a store without a layout is given the
// one last known, or the earliest that this program speaks, so that it refuses
// nobody who spoke with it before. Error: *LayoutError.
func (s *Store) Begin(ctx context.Context) error {
	there, err := s.compare(ctx)
	if err == nil && !there {
		if err := s.client.SetNX(ctx, s.key("schema"), s.Layout(), 0).Err(); err != nil {
			return fmt.Errorf("write schema: %w", err)
		}
		_, err = s.compare(ctx) // somebody else may have been first
	}
	if err == nil {
		s.begun.Store(true)
	}
	return err
}

// compare looks whether the store has a layout, and whether it is one of ours.
func (s *Store) compare(ctx context.Context) (there bool, err error) {
	found, err := s.client.Get(ctx, s.key("schema")).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reach the store: %w", err)
	}
	if n, err := strconv.Atoi(found); err != nil || !s.speaks.Speaks(n) {
		return true, s.foreign(found)
	}
	s.inForce(found)
	return true, nil
}
