package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// ManualSource is the name under which `streams add` announces. Nobody polls
// it: what it announces stays until it is taken back.
const ManualSource = "manual"

// Said is everything said of a stream: by its sources and by operators.
type Said struct {
	Key       string
	BySource  map[string]SaidBy
	Overrides Overrides
	// Current is the source the stream's record names now, empty for none.
	Current string
	// Problems are announcements that do not read.
	Problems []string
}

// SaidBy is what one source says of a stream.
type SaidBy struct {
	stream.Announcement
	State stream.SourceState
	// MissingSince is when a poller last listed it, server ms; 0: listed.
	MissingSince int64
	// BackSince is when the source listed it again or became good again
	// after it did not, server ms; 0 unknown.
	BackSince int64
}

// Overrides are an operator's words on a stream; they outlive polls.
type Overrides struct {
	Held bool
	Vars map[string]string
	Pins map[string]string // slot → host
}

// Said reads all that is said of a stream.
func (s *Store) Said(ctx context.Context, key string) (Said, error) {
	sources, err := s.client.SMembers(ctx, s.key("sources")).Result()
	if err != nil {
		return Said{}, fmt.Errorf("read sources: %w", err)
	}
	out := Said{Key: key, BySource: map[string]SaidBy{}}
	pipe := s.client.Pipeline()
	announced := make([]*redis.StringCmd, len(sources))
	missing := make([]*redis.StringCmd, len(sources))
	state := make([]*redis.SliceCmd, len(sources))
	for i, name := range sources {
		announced[i] = pipe.HGet(ctx, s.key("announced", name), key)
		missing[i] = pipe.HGet(ctx, s.key("missing", name), key)
		state[i] = pipe.HMGet(ctx, s.key("source", name), "state", "back")
	}
	override := pipe.HGetAll(ctx, s.key("override", key))
	current := pipe.HGet(ctx, s.key("stream", key), "source")
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Said{}, fmt.Errorf("read what is said of %s: %w", key, err)
	}
	for i, name := range sources {
		if announced[i].Val() == "" {
			continue
		}
		a, err := stream.DecodeAnnouncement(announced[i].Val())
		if err != nil {
			out.Problems = append(out.Problems, fmt.Sprintf("source %s: %v", name, err))
			continue
		}
		by := SaidBy{Announcement: a, State: stream.SourceState(text(state[i].Val()[0]))}
		by.BackSince, _ = strconv.ParseInt(text(state[i].Val()[1]), 10, 64) // absent: 0
		if missing[i].Val() != "" {
			since, err := strconv.ParseInt(missing[i].Val(), 10, 64)
			if err != nil {
				since = 1 // edited by hand: missing since long
			}
			by.MissingSince = since
		}
		out.BySource[name] = by
	}
	out.Overrides = readOverrides(override.Val())
	out.Current = current.Val()
	return out, nil
}

func readOverrides(row map[string]string) Overrides {
	o := Overrides{Held: row["held"] != "", Vars: map[string]string{}, Pins: map[string]string{}}
	for field, value := range row {
		if name, ok := strings.CutPrefix(field, "var:"); ok {
			o.Vars[name] = value
		}
		if slot, ok := strings.CutPrefix(field, "pin:"); ok {
			o.Pins[slot] = value
		}
	}
	return o
}

// Override changes an operator's words on a stream: fields are held, var:<name>
// and pin:<slot>; an empty value takes the word back.
func (s *Store) Override(ctx context.Context, key string, fields map[string]string) error {
	at := s.key("override", key)
	pipe := s.client.TxPipeline()
	for field, value := range fields {
		if value == "" {
			pipe.HDel(ctx, at, field)
		} else {
			pipe.HSet(ctx, at, field, value)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("override %s: %w", key, err)
	}
	return s.MarkDirty(ctx, key)
}

// AddStream announces a stream by hand, under ManualSource.
func (s *Store) AddStream(ctx context.Context, key string, a stream.Announcement) error {
	if err := stream.CheckKey(key); err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return err
	}
	for range 10 {
		set, err := s.Announced(ctx, ManualSource)
		if err != nil {
			return err
		}
		r, err := s.Announce(ctx, Poll{
			Source: ManualSource, Poller: s.actor, Version: set.Version,
			Upsert: map[string]string{key: a.Encode()}, Info: SourceInfo{Type: ManualSource},
		})
		if err != nil {
			return err
		}
		if !r.Stale {
			return nil
		}
	}
	return fmt.Errorf("add stream %s: others keep changing source %s; try again", key, ManualSource)
}
