package store

import (
	"context"
	"time"
)

// Start is a reservation whose start is to be sent.
type Start struct {
	Reservation
	Sending int // 1 for the first sending
	// Overdue: nobody claimed it in time; take it back.
	Overdue bool
}

// Outbox takes up to n reservations that are due to be sent. They are due
// again after resend, and overdue once unclaimed for limit. next is the time
// until more are due; negative: nothing waits.
func (s *Store) Outbox(ctx context.Context, resend, limit time.Duration, n int) (due []Start, next time.Duration, err error) {
	r, err := s.call(ctx, "outbox", resend.Milliseconds(), limit.Milliseconds(), n)
	if err != nil {
		return nil, 0, err
	}
	if r.status() != "ok" {
		return nil, 0, r.unexpected("outbox")
	}
	for _, row := range r.rows(3) {
		due = append(due, Start{Reservation: readReservation(row), Sending: int(row.num(5)), Overdue: row.str(6) == "1"})
	}
	return due, time.Duration(r.num(2)) * time.Millisecond, nil
}
