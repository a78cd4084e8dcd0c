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

// ofKind are the keys that stand once in a store, by the type each has.
var ofKind = map[string]string{
	"hosts": "set", "hosts:lease": "zset", "unwell": "zset", "types": "set", "types:wanted": "set", "sources": "set", "streams": "zset",
	"outbox": "zset", "dirty": "zset", "requeue": "zset", "moves": "hash", "draining": "set", "jobs": "zset", "jobs:made": "zset", "jobs:done": "zset", "reaper": "hash", "refused": "hash", "troubles": "hash", "seats": "zset",
	"token": "string", "events": "stream", "schema": "string", "aside": "hash", "turn:upkeep": "string",
}

// queueKinds are the keys that the task queues have: asynq's, and of each queue.
var (
	queueKinds = map[string]string{"asynq:queues": "set", "asynq:servers": "zset", "asynq:workers": "zset"}
	ofQueue    = map[string]string{
		"pending": "list", "active": "list", "lease": "zset", "scheduled": "zset", "retry": "zset", "archived": "zset", "completed": "zset",
	}
)

// kinds gathers the keys of this store and the type each should have, but for the
// records of streams: who misses those has them looked at by the scripts.
func (s *Store) kinds(ctx context.Context) (map[string]string, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	types, err := s.SlotTypes(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := s.SourceNames(ctx)
	if err != nil {
		return nil, err
	}
	streams, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(queueKinds)
	put := func(kind string, parts ...string) { out[s.key(parts...)] = kind }
	queue := func(name string) {
		for part, kind := range ofQueue {
			out["asynq:{"+s.ns+name+"}:"+part] = kind
		}
	}
	for key, kind := range ofKind {
		put(kind, key)
	}
	queue("events")
	for _, h := range hosts {
		put("hash", "host", h.Host)
		put("zset", "slots", h.Host)
		for _, v := range h.Services {
			put("hash", "service", v.Type, h.Host)
			put("zset", "load", v.Type, v.Class)
			queue(v.Type + ":" + h.Host)
		}
	}
	for _, key := range streams {
		put("hash", "override", key)
	}
	for _, t := range types {
		put("zset", "pending", t)
		put("hash", "classes", t)
	}
	for _, name := range sources {
		put("hash", "source", name)
		put("hash", "announced", name)
		put("hash", "missing", name)
		put("hash", "differs", name)
	}
	return out, nil
}

// Odd lists the keys that are not of the type this layout has: what is kept in
// them is not read. The records of streams are not looked at.
func (s *Store) Odd(ctx context.Context) ([]stream.OddKey, error) {
	kinds, err := s.kinds(ctx)
	if err != nil {
		return nil, err
	}
	var out []stream.OddKey
	for part := range slices.Chunk(slices.Sorted(maps.Keys(kinds)), 1000) {
		pipe := s.client.Pipeline()
		cmds := make([]*redis.StatusCmd, len(part))
		for i, key := range part {
			cmds[i] = pipe.Type(ctx, key)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, fmt.Errorf("read types of keys: %w", err)
		}
		for i, key := range part {
			if is := cmds[i].Val(); is != "none" && is != kinds[key] {
				out = append(out, stream.OddKey{Key: key, Was: is, Should: kinds[key]})
			}
		}
	}
	return out, nil
}

// PutAside sets the keys aside that Odd lists, so that what they should hold can
// be made anew; it returns how many there were. One that cannot be is in err and
// keeps none of the others from it.
func (s *Store) PutAside(ctx context.Context) (n int, err error) {
	odd, err := s.Odd(ctx)
	if err != nil {
		return 0, err
	}
	for _, k := range odd {
		set, failed := s.setAside(ctx, k)
		if set {
			n++
		}
		err = errors.Join(err, failed)
	}
	return n, errors.Join(err, s.sweepAside(ctx))
}

func (s *Store) setAside(ctx context.Context, k stream.OddKey) (bool, error) {
	if source, ok := strings.CutPrefix(k.Key, s.key("announced", "")); ok {
		return s.restore(ctx, source)
	}
	r, err := s.call(ctx, "aside", k.Key, k.Should)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		if k.Key == s.key("schema") {
			return true, s.Begin(ctx) // writes it anew
		}
		return true, nil
	case "sound":
		return false, nil
	}
	return false, r.unexpected("aside")
}

// Aside lists what was set aside and not yet deleted.
func (s *Store) Aside(ctx context.Context) ([]stream.OddKey, error) {
	rows, err := s.client.HGetAll(ctx, s.key("aside")).Result()
	if err != nil && !isRefusal(err) {
		return nil, fmt.Errorf("read aside: %w", err)
	}
	pipe := s.client.Pipeline()
	there := make(map[string]*redis.IntCmd, len(rows))
	for name := range rows {
		there[name] = pipe.Exists(ctx, s.key("aside", name))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read aside: %w", err)
	}
	var out []stream.OddKey
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if there[name].Val() > 0 {
			was, should, _ := strings.Cut(rows[name], " ")
			out = append(out, stream.OddKey{Key: name, Was: was, Should: should, Aside: s.key("aside", name)})
		}
	}
	return out, nil
}

// sweepAside forgets what a hand deleted, or a week.
func (s *Store) sweepAside(ctx context.Context) error {
	kept, err := s.Aside(ctx)
	if err != nil {
		return err
	}
	names, err := s.client.HKeys(ctx, s.key("aside")).Result()
	if err != nil {
		return fmt.Errorf("read aside: %w", err)
	}
	gone := slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(kept, func(k stream.OddKey) bool { return k.Key == name })
	})
	if len(gone) == 0 {
		return nil
	}
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	if err := writer.HDel(ctx, s.key("aside"), gone...).Err(); err != nil {
		return fmt.Errorf("forget what was set aside: %w", err)
	}
	return nil
}

// SourceNames lists the sources that are known, none if a hand broke the list.
func (s *Store) SourceNames(ctx context.Context) ([]string, error) {
	names, err := s.client.SMembers(ctx, s.key("sources")).Result()
	if err != nil && !isRefusal(err) {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	slices.Sort(names)
	return names, nil
}
