package scheduler

import (
	"context"
	"math/rand/v2"
	"time"

	"stream-api/store"
)

// waitForSeat returns true once this scheduler is one of the busy ones, false
// when ctx ends first. It asks when a seat may have become free, and a little
// later each time by chance, so that a thousand do not ask at once.
func (s *Scheduler) waitForSeat(ctx context.Context) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		seat, err := s.store.Seat(ctx, s.o.ID, s.o.Seats, s.o.SeatTTL)
		if ctx.Err() != nil {
			return false
		}
		s.talk.heard("seat", err)
		if seat.Seated != nil {
			s.rank(seat)
			return true
		}
		wait := min(seat.Next, s.o.SeatTTL)
		if err != nil {
			wait = s.o.SeatTTL / 3
		}
		timer.Reset(wait + rand.N(s.o.SeatTTL/3))
	}
}

// keepSeat renews the seat until ctx ends or another has it. A store that does
// not answer takes no seat away: nobody else can have it meanwhile, and more
// busy schedulers than seats do no harm.
func (s *Scheduler) keepSeat(ctx context.Context) {
	tick := time.NewTicker(s.o.SeatTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		seat, err := s.store.Seat(ctx, s.o.ID, s.o.Seats, s.o.SeatTTL)
		if ctx.Err() != nil {
			return
		}
		s.talk.heard("seat", err)
		if err != nil {
			continue
		}
		if seat.Seated == nil {
			return
		}
		s.rank(seat)
	}
}

// rank takes in whether this is the scheduler that heeds hints. While the store
// does not answer that stays as it was.
func (s *Scheduler) rank(seat store.SeatAnswer) {
	first := seat.Seated[0] == s.o.ID
	if s.first.Swap(first) != first {
		s.ranked.ring()
	}
}

// readEvents has the queue of events read while this scheduler is the one that
// heeds hints. For a moment two may read it: each event goes to one of them.
func (s *Scheduler) readEvents(ctx context.Context) {
	if s.o.Events == nil {
		return
	}
	for {
		if s.first.Load() {
			s.readWhileFirst(ctx)
		}
		select {
		case <-s.ranked.c:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Scheduler) readWhileFirst(ctx context.Context) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.o.Events(reading) }()
	for s.first.Load() && ctx.Err() == nil {
		select {
		case <-s.ranked.c:
		case <-ctx.Done():
		}
	}
	stop()
	s.talk.heard("events", <-done)
}

// giveBackSeat lets one of those who stand by take over before the seat ends.
func (s *Scheduler) giveBackSeat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Beat)
	defer cancel()
	if err := s.store.Unseat(ctx, s.o.ID); err != nil {
		s.log.Debug().Err(err).Msg("the seat was not given back; it ends by itself")
	}
}
