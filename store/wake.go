package store

import (
	"context"
	"fmt"
	"strings"
)

// Hint is something that may be worth a look at once: What is dirty, room,
// pending, vars, poll or report; Of is the type or stream it is about. Hints may be
// lost; a look every second finds the same.
type Hint struct {
	What string
	Of   string
}

// HintDirty hints to the schedulers that there are marked streams.
func (s *Store) HintDirty(ctx context.Context) error {
	if err := s.client.Publish(ctx, s.key("wake"), "dirty").Err(); err != nil {
		return fmt.Errorf("hint: %w", err)
	}
	return nil
}

// Hints delivers hints until ctx ends, then closes the channel. It
// reconnects by itself. The one goroutine it starts ends with ctx.
func (s *Store) Hints(ctx context.Context) <-chan Hint {
	sub := s.client.Subscribe(ctx, s.key("wake"))
	out := make(chan Hint, 256)
	go func() {
		defer close(out)
		// The error of closing a subscription that is over says nothing new.
		defer func() { _ = sub.Close() }()
		in := sub.Channel()
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-in:
				if !ok {
					return
				}
				what, of, _ := strings.Cut(m.Payload, " ")
				select {
				case out <- Hint{What: what, Of: of}:
				default: // a reader that is behind looks at everything anyway
				}
			}
		}
	}()
	return out
}

// Poke hints to every poller of a source, on whatever host, to look at once.
func (s *Store) Poke(ctx context.Context, source string) error {
	if err := s.client.Publish(ctx, s.key("wake"), "poll "+source).Err(); err != nil {
		return fmt.Errorf("poke source %s: %w", source, err)
	}
	return nil
}
