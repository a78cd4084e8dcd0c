package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Declared is all that is declared of a stream: the announcements of its sources
// and the overrides of operators.
type Declared struct {
	Key       string
	BySource  map[string]Declaration
	Overrides Overrides
	// Current is the source the stream's record names now, empty for none.
	Current string
	// Return is a scheduler's memory of a better source that came back:
	// its name and since when, server ms.
	Return string
	Now    int64 // server ms, when this was read
	// Problems are announcements that do not read. While there are any, what the
	// others announce may not be all: nothing is ended for it.
	Problems []string
}

// Declaration is what one source announces of a stream, and how that source fares.
type Declaration struct {
	stream.Announcement
	State stream.SourceState
	// MissingSince is when a poller last listed it, server ms; 0: listed.
	MissingSince int64
	// LastGood is when the source was last polled well, server ms; 0: never.
	LastGood int64
	// GoneAfter is how long the source's streams outlive their being listed.
	GoneAfter time.Duration // negative: the source never said
}

// Declared reads all that is declared of a stream.
func (s *Store) Declared(ctx context.Context, key string) (Declared, error) {
	all, err := s.DeclaredOf(ctx, []string{key})
	if err != nil {
		return Declared{}, err
	}
	return all[0], nil
}

// declaredRow is what one stream's round trip asks for.
type declaredRow struct {
	announced, missing []*redis.StringCmd // one a source
	override           *redis.MapStringStringCmd
	current            *redis.SliceCmd
}

// DeclaredOf reads all that is declared of several streams, in two round trips, in
// the order of the keys.
func (s *Store) DeclaredOf(ctx context.Context, keys []string) ([]Declared, error) {
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
	rows := make([]declaredRow, len(keys))
	for k, key := range keys {
		for _, name := range sources {
			rows[k].announced = append(rows[k].announced, pipe.HGet(ctx, s.key("announced", name), key))
			rows[k].missing = append(rows[k].missing, pipe.HGet(ctx, s.key("missing", name), key))
		}
		rows[k].override = pipe.HGetAll(ctx, s.key("override", key))
		rows[k].current = pipe.HMGet(ctx, s.key("stream", key), "source", "sys:return")
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read what is declared of streams: %w", err)
	}
	out := make([]Declared, len(keys))
	for k, key := range keys {
		v := Declared{Key: key, Now: now.Val().UnixMilli(), BySource: map[string]Declaration{}, Overrides: readOverrides(rows[k].override.Val())}
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

// add takes up what one source announces; announcements that do not read become
// problems.
func (v *Declared) add(source, announcement, missing string, state *redis.SliceCmd) {
	a, err := stream.DecodeAnnouncement(announcement)
	if err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("source %s: %v", source, err))
		return
	}
	by := Declaration{
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
