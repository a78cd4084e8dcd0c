package scheduler

import (
	"context"
	"errors"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// outboxBatch is how many starts one round takes.
const outboxBatch = 200

// dispatch sends the starts that are due, and takes back what nobody took up.
// A scheduler that dies between the two leaves them due again after Resend.
func (s *Scheduler) dispatch(ctx context.Context) (time.Duration, error) {
	for {
		due, next, err := s.store.Outbox(ctx, s.o.Resend, s.o.Limit, outboxBatch)
		if err != nil {
			return 0, err
		}
		batch := make([]telling, 0, len(due))
		for _, d := range due {
			if d.Overdue {
				if err := s.takeBack(ctx, d); err != nil {
					return 0, err
				}
				continue
			}
			batch = append(batch, telling{verb: queue.Start, instance: taskOf(d.Reservation, d.Sending)})
		}
		// One start that cannot be sent must not delay the others; it is due
		// again after Resend.
		s.talk.heard("send", s.sendMending(ctx, batch))
		if len(due) < outboxBatch {
			if next >= 0 {
				return min(max(next, time.Millisecond), s.o.Net), nil
			}
			return 0, nil
		}
	}
}

func (s *Scheduler) takeBack(ctx context.Context, d store.Start) error {
	reason := stream.Because(stream.CodeUnclaimed, "host", d.Host, "limit", s.o.Limit.String())
	err := s.store.Unassign(ctx, d.Reservation, s.o.Cooldown, reason)
	switch {
	case errors.Is(err, store.ErrStale), store.IsHold(err):
		return nil // claimed meanwhile, or due again after the hold
	case err != nil:
		return err
	}
	s.counts.unclaimed.Add(1)
	s.log.Warn().Str("stream", d.Key).Str("slot", stream.SlotOf(d.Instance)).Str("instance", d.Instance).Str("host", d.Host).Str("token", d.Token).Stringer("reason", reason).Msg("start taken back")
	return nil
}
