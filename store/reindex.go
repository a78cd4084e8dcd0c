package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Reindex makes what is derived of one host agree with what it is derived
// from, so that edits by hand take effect and mistakes mend. paused names the
// types whose queue an operator paused; nil leaves that as it is. It returns how many things it mended.
func (s *Store) Reindex(ctx context.Context, host string, paused map[string]bool) (int, error) {
	listed, err := s.client.HGet(ctx, s.key("host", host), "services").Result()
	if err := present(err); err != nil && !isRefusal(err) {
		return 0, fmt.Errorf("reindex %s: %w", host, err)
	}
	types := strings.Fields(listed)
	args := []any{host, len(types)}
	for _, t := range types {
		row := s.client.HMGet(ctx, s.key("service", t, host), "filter", "needs", "class", "paused")
		if err := row.Err(); err != nil && !isRefusal(err) {
			return 0, fmt.Errorf("reindex %s: %w", host, err)
		}
		old, err := s.class(ctx, t, field(row, 2))
		if err != nil {
			return 0, fmt.Errorf("reindex %s: %w", host, err)
		}
		class := stream.Class{Filter: field(row, 0), Prefer: old.Prefer, Needs: field(row, 1)}
		stays := field(row, 3) != ""
		args = append(args, t, field(row, 2), class.ID(), classText(class), bit(paused == nil && stays || paused[t]))
	}
	r, err := s.call(ctx, "reindex", args...)
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("reindex")
	}
	return int(r.num(1)), nil
}

// PruneClasses forgets the classes of a type that no service has any more.
// inUse are those that some service had a moment ago.
func (s *Store) PruneClasses(ctx context.Context, t string, inUse map[string]bool) error {
	classes, err := s.Classes(ctx, t)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(classes)) {
		if inUse[id] {
			continue
		}
		r, err := s.call(ctx, "prune", t, id)
		if err != nil {
			return err
		}
		if r.status() != "ok" {
			return r.unexpected("prune")
		}
	}
	return nil
}

// present turns redis.Nil, which says that there is nothing, into no error.
func present(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// text reads one field of HMGET; an absent one is empty.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// field reads the i-th answer of an HMGET; absent, or of a key that a hand made
// another type of, it is empty.
func field(cmd *redis.SliceCmd, i int) string {
	if values := cmd.Val(); i < len(values) {
		return text(values[i])
	}
	return ""
}

// pipelined is the error of a pipeline of reads as a whole: what is absent or
// was edited into another type reads as empty and harms none of the others.
func pipelined(cmds []redis.Cmder, err error) error {
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) && !isRefusal(err) {
			return err
		}
	}
	return nil
}
