package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Lost looks at up to n streams that somebody announces, those behind the key
// after first, and gives the ones whose record, or a slot of whose chain, or whose
// name in streams, is not there: a hand took it away, or a mark was lost. next is where to go on, empty
// at the end. A stream that was announced a moment ago may be among them;
// marking it (MarkDirty) harms nothing.
func (s *Store) Lost(ctx context.Context, after string, n int) (lost []string, next string, err error) {
	keys, err := s.announcedKeys(ctx)
	if err != nil {
		return nil, "", err
	}
	from, found := slices.BinarySearch(keys, after)
	if found {
		from++
	}
	keys = keys[from:]
	if len(keys) > n {
		keys = keys[:n]
		next = keys[n-1]
	}
	records, err := s.Records(ctx, keys)
	if err != nil {
		return nil, "", err
	}
	byKey := make(map[string]Record, len(records))
	for _, r := range records {
		byKey[r.Key] = r
	}
	pipe := s.client.Pipeline()
	listed := make([]*redis.FloatCmd, len(keys))
	for i, key := range keys {
		listed[i] = pipe.ZScore(ctx, s.key("streams"), key)
	}
	if len(keys) == 0 {
		return nil, "", nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, "", fmt.Errorf("read streams: %w", err)
	}
	for i, key := range keys {
		if r, ok := byKey[key]; !ok || r.incomplete() || listed[i].Err() != nil {
			lost = append(lost, key)
		}
	}
	return lost, next, nil
}

// incomplete tells that the record wants a slot that is not there.
func (r Record) incomplete() bool {
	return r.Sys["held"] == "" && slices.ContainsFunc(r.Chain, func(slot string) bool { return r.Slots[slot].State == "" })
}

// announcedKeys lists, in order, all streams that some source announces.
func (s *Store) announcedKeys(ctx context.Context) ([]string, error) {
	sources, err := s.client.SMembers(ctx, s.key("sources")).Result()
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	pipe := s.client.Pipeline()
	cmds := make([]*redis.StringSliceCmd, len(sources))
	for i, name := range sources {
		cmds[i] = pipe.HKeys(ctx, s.key("announced", name))
	}
	if len(cmds) == 0 {
		return nil, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read what is announced: %w", err)
	}
	keys := map[string]bool{}
	for _, cmd := range cmds {
		for _, key := range cmd.Val() {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys)), nil
}
