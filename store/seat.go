package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stream-api/stream"
)

// SeatAnswer is what Seat found.
type SeatAnswer struct {
	// Seated are the ids of all who have a place, in order, if the caller is
	// one of them; else nil.
	Seated []string
	// Next is when the next place becomes free, unless its holder renews it;
	// for those who have none.
	Next time.Duration
}

// Seat takes or renews one of n busy places among the schedulers for ttl. Error:
// *LayoutError.
func (s *Store) Seat(ctx context.Context, id string, n int, ttl time.Duration) (SeatAnswer, error) {
	r, err := s.call(ctx, "seat", id, n, ttl.Milliseconds(), s.speaks.From, s.speaks.To, s.Layout())
	if err != nil {
		return SeatAnswer{}, err
	}
	switch r.status() {
	case "seated":
		s.inForce(r.str(1))
		return SeatAnswer{Seated: slices.Sorted(slices.Values(r.strs(2)))}, nil
	case "standby":
		s.inForce(r.str(1))
		return SeatAnswer{Next: time.Duration(r.num(2)) * time.Millisecond}, nil
	case "layout":
		return SeatAnswer{}, s.foreign(r.str(1))
	}
	return SeatAnswer{}, r.unexpected("seat")
}

// Unseat gives a place back at once; it is no error to have none. Error:
// *LayoutError.
func (s *Store) Unseat(ctx context.Context, id string) error {
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	if err := writer.ZRem(ctx, s.key("seats"), seatOf(id, s.speaks)).Err(); err != nil {
		return fmt.Errorf("give the seat back: %w", err)
	}
	return nil
}

// seatOf is how seat.lua names a seat: who has it, and what that one speaks.
func seatOf(id string, speaks stream.Layouts) string { return id + " " + speaks.String() }

// Turn tells whether the caller is the first in ttl to ask for the named turn:
// work that any scheduler may do but one should. Error: *LayoutError.
func (s *Store) Turn(ctx context.Context, name, id string, ttl time.Duration) (bool, error) {
	at := s.key("turn", name)
	writer, err := s.writer(ctx)
	if err != nil {
		return false, err
	}
	first, err := writer.SetNX(ctx, at, id, ttl).Result()
	if err != nil {
		return false, fmt.Errorf("take turn %s: %w", name, err)
	}
	if first {
		return true, nil
	}
	left, err := s.client.TTL(ctx, at).Result()
	if err == nil && left == -1 { // a hand wrote it: such a turn would never end
		if _, err = s.setAside(ctx, stream.OddKey{Key: at, Should: "string"}); err == nil {
			err = writer.Expire(ctx, at, ttl).Err()
		}
	}
	if err != nil {
		return false, fmt.Errorf("take turn %s: %w", name, err)
	}
	return false, nil
}
