package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A server is woken on a pub/sub channel of its own, wake:<host> or
// wake:events, after the namespace. A message is the name of a queue without
// its namespace, published after the task was enqueued: look there now. A host
// that happens to be called "events" hears of a queue that is not its own, and
// passes it over.

// wakeChannel is the channel of the server that reads queue, a full name.
func wakeChannel(namespace, queue string) string {
	if s, ok := parseSlotQueue(namespace, queue); ok {
		return namespace + "wake:" + s.Host
	}
	return namespace + "wake:" + eventQueue
}

// wake has the server of a queue look at it at once. If nobody heard it, the
// server looks by itself within keepEvery.
func wake(ctx context.Context, rc redis.UniversalClient, namespace, queue string) error {
	err := rc.Publish(ctx, wakeChannel(namespace, queue), queue[len(namespace):]).Err()
	if err != nil {
		return fmt.Errorf("wake the reader of queue %s, which looks by itself within %v: %w", queue, keepEvery, err)
	}
	return nil
}

// listen rings the gate for what is heard until ctx ends.
func (s *Server) listen(ctx context.Context) {
	for ctx.Err() == nil {
		s.listenOnce(ctx)
	}
}

// found takes in that something waits in the queues. If nothing was heard of it,
// the subscription may be one that Redis refused, of which the client says
// nothing; another one is made.
func (s *Server) found() {
	s.redis.gate.ring()
	if !s.hinted.Load() {
		select {
		case s.deaf <- struct{}{}:
		default: // it is known
		}
	}
}

// listenOnce hears one subscription until ctx ends or it is thought to be deaf.
// One that was made, or made again, rings for all: nothing was heard before it.
func (s *Server) listenOnce(ctx context.Context) {
	sub := s.redis.Subscribe(ctx, s.channel)
	// The error of closing a subscription that is over says nothing new.
	defer func() { _ = sub.Close() }()
	heard := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.deaf:
			return
		case m, ok := <-heard:
			if !ok {
				return
			}
			switch m := m.(type) {
			case *redis.Message:
				s.hinted.Store(true)
				s.redis.gate.ring(s.namespace + m.Payload)
			case *redis.Subscription:
				s.redis.gate.ring()
			}
		}
	}
}
