package scheduler

import (
	"context"
	"time"
)

// waitForSeat returns true once this scheduler is one of the busy ones, false
// when ctx ends first.
func (s *Scheduler) waitForSeat(ctx context.Context) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		seated, err := s.store.Seat(ctx, s.o.ID, s.o.Seats, s.o.SeatTTL)
		if ctx.Err() != nil {
			return false
		}
		s.talk.heard("seat", err)
		if seated {
			s.rank(ctx)
			return true
		}
		timer.Reset(s.o.SeatTTL / 3)
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
		seated, err := s.store.Seat(ctx, s.o.ID, s.o.Seats, s.o.SeatTTL)
		if ctx.Err() != nil {
			return
		}
		s.talk.heard("seat", err)
		if err == nil && !seated {
			return
		}
		s.rank(ctx)
	}
}

// rank finds out whether this is the scheduler that heeds hints. While the store
// does not answer that stays as it was.
func (s *Scheduler) rank(ctx context.Context) {
	ids, err := s.store.Seated(ctx)
	if err == nil {
		s.first.Store(len(ids) > 0 && ids[0] == s.o.ID)
	}
}

// giveBackSeat lets one of those who stand by take over at once.
func (s *Scheduler) giveBackSeat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Beat)
	defer cancel()
	if err := s.store.Unseat(ctx, s.o.ID); err != nil {
		s.log.Debug().Err(err).Msg("the seat was not given back; it ends by itself")
	}
}
