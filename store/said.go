package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// Return is a scheduler's memory of a better source that came back:
	// its name and since when, server ms.
	Return string
	Now    int64 // server ms, when this was read
	// Problems are announcements that do not read. While there are any, what the
	// others say may not be all: nothing is ended for it.
	Problems []string
}

// SaidBy is what one source says of a stream.
type SaidBy struct {
	stream.Announcement
	State stream.SourceState
	// MissingSince is when a poller last listed it, server ms; 0: listed.
	MissingSince int64
	// LastGood is when the source was last polled well, server ms; 0: never.
	LastGood int64
	// GoneAfter is how long the source's streams outlive their being listed.
	GoneAfter time.Duration // negative: the source never said
}

// Overrides are an operator's words on a stream; they outlive polls.
type Overrides struct {
	Held bool
	Vars map[string]string
	Pins map[string]string // slot → host
}

// Said reads all that is said of a stream.
func (s *Store) Said(ctx context.Context, key string) (Said, error) {
	all, err := s.SaidOf(ctx, []string{key})
	if err != nil {
		return Said{}, err
	}
	return all[0], nil
}

// saidRow is what one stream's round trip asks for.
type saidRow struct {
	announced, missing []*redis.StringCmd // one a source
	override           *redis.MapStringStringCmd
	current            *redis.SliceCmd
}

// SaidOf reads all that is said of several streams, in two round trips, in the
// order of the keys.
func (s *Store) SaidOf(ctx context.Context, keys []string) ([]Said, error) {
	sources, problem, err := s.speakers(ctx, keys)
	if err != nil {
		return nil, err
	}
	pipe := s.client.Pipeline()
	now := pipe.Time(ctx)
	states := make([]*redis.SliceCmd, len(sources))
	for i, name := range sources {
		states[i] = pipe.HMGet(ctx, s.key("source", name), "state", "last_good", "gone_after")
	}
	rows := make([]saidRow, len(keys))
	for k, key := range keys {
		for _, name := range sources {
			rows[k].announced = append(rows[k].announced, pipe.HGet(ctx, s.key("announced", name), key))
			rows[k].missing = append(rows[k].missing, pipe.HGet(ctx, s.key("missing", name), key))
		}
		rows[k].override = pipe.HGetAll(ctx, s.key("override", key))
		rows[k].current = pipe.HMGet(ctx, s.key("stream", key), "source", "sys:return")
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read what is said of streams: %w", err)
	}
	out := make([]Said, len(keys))
	for k, key := range keys {
		v := Said{Key: key, Now: now.Val().UnixMilli(), BySource: map[string]SaidBy{}, Overrides: readOverrides(rows[k].override.Val())}
		if problem != "" {
			v.Problems = append(v.Problems, problem)
		}
		for i, name := range sources {
			if err := present(rows[k].announced[i].Err()); err != nil {
				v.Problems = append(v.Problems, fmt.Sprintf("source %s: announced:%s is no hash", name, name))
			}
			if text := rows[k].announced[i].Val(); text != "" {
				v.add(name, text, rows[k].missing[i].Val(), states[i])
			}
		}
		v.Current, v.Return = field(rows[k].current, 0), field(rows[k].current, 1)
		out[k] = v
	}
	return out, nil
}

// speakers names the sources to be asked about streams: all that are known, and
// those that the streams' records name, in case a hand took them off the list.
func (s *Store) speakers(ctx context.Context, keys []string) (names []string, problem string, err error) {
	pipe := s.client.Pipeline()
	known := pipe.SMembers(ctx, s.key("sources"))
	used := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		used[i] = pipe.HGet(ctx, s.key("stream", key), "source")
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, "", fmt.Errorf("read sources: %w", err)
	}
	if known.Err() != nil {
		problem = "sources is no set"
	}
	names = known.Val()
	for _, cmd := range used {
		if name := cmd.Val(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, problem, nil
}

// add takes up what one source says; announcements that do not read become
// problems.
func (v *Said) add(source, announcement, missing string, state *redis.SliceCmd) {
	a, err := stream.DecodeAnnouncement(announcement)
	if err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("source %s: %v", source, err))
		return
	}
	by := SaidBy{
		Announcement: a, State: stream.SourceState(field(state, 0)), LastGood: atoi64(field(state, 1)),
		GoneAfter: -1,
	}
	if ms, err := strconv.ParseInt(field(state, 2), 10, 64); err == nil && ms >= 0 {
		by.GoneAfter = time.Duration(ms) * time.Millisecond
	}
	if missing != "" {
		by.MissingSince = max(atoi64(missing), 1) // nonsense by hand: missing since long
	}
	if source == ManualSource {
		by.State, by.MissingSince = stream.SourceGood, 0 // nobody polls it, so it cannot be away
	}
	v.BySource[source] = by
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
