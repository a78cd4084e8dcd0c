package scheduler

import (
	"context"
	"sync"

	"stream-api/queue"
	"stream-api/store"
)

// telling is one command to be sent as a hint.
type telling struct {
	verb     queue.Verb
	instance queue.Reservation
}

// senders is how many commands are on their way at once.
const senders = 8

// tellLater has hosts told, by the goroutine of tell. What finds no room is
// dropped: the hosts' revisions carry the truth.
func (s *Scheduler) tellLater(verb queue.Verb, instances []store.Reservation) {
	for _, v := range instances {
		select {
		case s.tellings <- telling{verb: verb, instance: taskOf(v, 0)}:
		default:
			return
		}
	}
}

// tell sends commands until ctx ends.
func (s *Scheduler) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-s.tellings:
			batch := []telling{first}
			for more := true; more && len(batch) < 512; {
				select {
				case next := <-s.tellings:
					batch = append(batch, next)
				default:
					more = false
				}
			}
			s.talk.heard("tell", s.sendMending(ctx, batch))
		}
	}
}

// sendMending is send, once more if a key of a queue was made another type. What
// was sent already is not sent twice.
func (s *Scheduler) sendMending(ctx context.Context, batch []telling) error {
	err := s.send(ctx, batch)
	if s.putAside(ctx, err) {
		return s.send(ctx, batch)
	}
	return err
}

// send sends commands, several at a time, and returns the first failure.
func (s *Scheduler) send(ctx context.Context, batch []telling) error {
	work := make(chan telling)
	var all sync.WaitGroup
	var once sync.Once
	var failed error
	for range min(senders, len(batch)) {
		all.Go(func() {
			for t := range work {
				if err := s.cmd.SlotCommand(ctx, t.verb, t.instance); err != nil {
					once.Do(func() { failed = err })
					continue
				}
				s.counts.sent.Add(1)
			}
		})
	}
	for _, t := range batch {
		work <- t
	}
	close(work)
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return failed
}

func taskOf(v store.Reservation, sending int) queue.Reservation {
	return queue.Reservation{
		Key: v.Key, Instance: v.Instance, Type: v.Type, Host: v.Host, Token: v.Token, Sending: int64(sending),
	}
}
