package web

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"stream-api/store"
	"stream-api/stream"
)

const (
	// followWait is how long a read of the feed blocks; a stop waits for it.
	followWait = 500 * time.Millisecond
	followPart = 500
	// rewind is how often a silent feed is asked for its newest event: after
	// the store's clock was set back, all new ones are older than the last.
	rewind = 5 * time.Second
)

// feed is what the follower reads.
type feed interface {
	Events(ctx context.Context, after string, n int, wait time.Duration) ([]store.Event, error)
	LastEvents(ctx context.Context, n int) ([]store.Event, error)
	Hints(context.Context) <-chan store.Hint
}

// follow reads the feed of events until ctx ends and tells the board, the
// watchers and the metrics.
func follow(ctx context.Context, f feed, b *board, m *Metrics, log zerolog.Logger) {
	var last string
	asked, silent := time.Time{}, false
	for ctx.Err() == nil {
		if time.Since(asked) > rewind {
			var err error
			if last, err = newest(ctx, f, last); err != nil {
				silent = complain(ctx, log, silent, err)
				continue
			}
			asked = time.Now()
		}
		events, err := f.Events(ctx, last, followPart, followWait)
		if err != nil {
			silent = complain(ctx, log, silent, err)
			asked = time.Time{}
			continue
		}
		if silent {
			silent = false
			log.Info().Msg("the feed of events is read again")
		}
		for _, e := range events {
			last, asked = e.ID, time.Now()
			stream.Show(&e)
			m.event(e)
			b.lost.event(e)
			b.touch(e.Stream)
			b.hub.send(eventFrame(e))
		}
	}
}

// newest is where to read on: after the last seen event, or after the newest
// there is if the feed is older than that (or nothing was seen yet).
func newest(ctx context.Context, f feed, last string) (string, error) {
	events, err := f.LastEvents(ctx, 1)
	if err != nil {
		return last, err
	}
	switch {
	case len(events) == 0:
		return "0", nil
	case last == "" || laterID(last, events[0].ID):
		return events[0].ID, nil
	}
	return last, nil
}

// complain says once that the feed cannot be read, and waits a moment.
func complain(ctx context.Context, log zerolog.Logger, silent bool, err error) bool {
	if !silent && ctx.Err() == nil {
		log.Warn().Err(err).Msg("the feed of events cannot be read; the page is behind until it can")
	}
	select {
	case <-ctx.Done():
	case <-time.After(followWait):
	}
	return true
}

// hear passes hints on to the board until ctx ends.
func hear(ctx context.Context, f feed, b *board) {
	for hint := range f.Hints(ctx) {
		if hint.What == "vars" {
			b.touch(hint.Of)
		}
	}
}
