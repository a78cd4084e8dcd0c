package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Event is one thing that happened.
type Event struct {
	ID     string `json:"id" show:"name"` // of the stream: <ms>-<n>
	Event  string `json:"event" show:"name"`
	Stream string `json:"stream,omitempty" show:"printable"`
	Slot   string `json:"slot,omitempty" show:"printable"`
	Host   string `json:"host,omitempty" show:"printable"`
	Token  string `json:"token,omitempty" show:"name"`
	stream.Told
	Actor string `json:"actor,omitempty"`
}

// At is when it happened, store's ms, by its ID; false for what is no id.
func (e Event) At() (ms int64, ok bool) {
	text, _, _ := strings.Cut(e.ID, "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	return ms, err == nil
}

// Events reads up to n events after the given id (exclusive; "0" for the
// oldest kept), waiting up to wait for the first; none is no error.
func (s *Store) Events(ctx context.Context, after string, n int, wait time.Duration) ([]Event, error) {
	block := wait
	if block <= 0 {
		block = -1 // do not wait
	}
	streams, err := s.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.key("events"), after}, Count: int64(n), Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return readEvents(streams[0].Messages), nil
}

// LastEvents reads the newest n events, oldest of them first.
func (s *Store) LastEvents(ctx context.Context, n int) ([]Event, error) {
	rows, err := s.client.XRevRangeN(ctx, s.key("events"), "+", "-", int64(n)).Result()
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return readEvents(rows), nil
}

func readEvents(rows []redis.XMessage) []Event {
	out := make([]Event, 0, len(rows))
	for _, row := range rows {
		out = append(out, Event{
			ID: row.ID, Event: text(row.Values["event"]), Stream: text(row.Values["stream"]), Slot: text(row.Values["slot"]),
			Host: text(row.Values["host"]), Token: text(row.Values["token"]), Told: stream.ParseReason(text(row.Values["reason"])).Told(), Actor: text(row.Values["actor"]),
		})
	}
	return out
}
