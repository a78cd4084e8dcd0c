package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Mender goes round all records and makes what is derived of them agree, at the
// pace of its caller: records are found by SCAN, so that whatever index is lost,
// nothing is out of its reach. It is of one goroutine.
type Mender struct {
	s      *Store
	cursor uint64
	seen   map[string]bool // streams with a record, since the round began
	unsaid map[string]bool // streams that nobody announced when last looked at
}

// Mended is what looking at some records came to.
type Mended struct {
	Corrections int
	// Held is what the records say is held; nil unless all were looked at.
	Held Held
}

// Held counts slots that hold capacity by <type>:<host>.
type Held map[string]int

// of is the count as an argument, empty if it is not known.
func (h Held) of(t, host string) string {
	if h == nil {
		return ""
	}
	return strconv.Itoa(h[t+":"+host])
}

// Mender makes one, at the begin of a round.
func (s *Store) Mender() *Mender {
	return &Mender{s: s, seen: map[string]bool{}, unsaid: map[string]bool{}}
}

// All goes one whole round. ttl is the longest lease known.
func (m *Mender) All(ctx context.Context, ttl time.Duration) (Mended, error) {
	m.cursor = 0
	return m.Some(ctx, 1<<62, ttl)
}

const (
	// scanChunk is how many keys one SCAN looks at, mendBatch how many streams one
	// round trip mends: some 3 ms of the server's time.
	scanChunk, mendBatch = 1000, 50
	// staleRows is how many rows at the head of a queue one round looks at.
	staleRows = 500
)

// Some goes on with the round for about n records; at its end it looks at what is
// announced or listed without a record as well, and the next call begins anew.
func (m *Mender) Some(ctx context.Context, n int, ttl time.Duration) (Mended, error) {
	whole := m.cursor == 0
	if whole {
		clear(m.seen)
	}
	announced, err := m.s.announcedKeys(ctx)
	if err != nil {
		return Mended{}, err
	}
	found, err := m.scan(ctx, n)
	if err != nil {
		return Mended{}, err
	}
	for key := range found {
		m.seen[key] = true
	}
	if m.cursor == 0 {
		if err := m.strays(ctx, announced, found); err != nil {
			return Mended{}, err
		}
	}
	out := Mended{Held: Held{}}
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(found)), mendBatch) {
		if err := m.mend(ctx, keys, found, announced, ttl, &out); err != nil {
			m.cursor = 0
			return Mended{}, err
		}
	}
	if !whole || m.cursor != 0 {
		out.Held = nil
	}
	return out, nil
}

// scan finds about n records: stream → instance → type, not known yet; a slot's
// own hash stands there by its name.
func (m *Mender) scan(ctx context.Context, n int) (map[string]map[string]string, error) {
	prefix := m.s.key("stream:")
	found := map[string]map[string]string{}
	for records := 0; ; {
		keys, next, err := m.s.client.Scan(ctx, m.cursor, escapeGlob(prefix)+"*", scanChunk).Result()
		if err != nil {
			return nil, fmt.Errorf("find records: %w", err)
		}
		m.cursor, records = next, records+len(keys)
		for _, at := range keys {
			key, slot, _ := strings.Cut(strings.TrimPrefix(at, prefix), ":")
			if stream.CheckKey(key) != nil {
				continue // not ours
			}
			if found[key] == nil {
				found[key] = map[string]string{}
			}
			if stream.CheckSlotOrInstance(slot) == nil {
				found[key][slot] = ""
			}
		}
		if next == 0 || records >= n {
			return found, nil
		}
	}
}

// strays adds the streams that are announced or listed and have no record, and
// the rows at the head of each queue that no record backs.
func (m *Mender) strays(ctx context.Context, announced map[string]bool, found map[string]map[string]string) error {
	listed, err := m.s.StreamKeys(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Concat(listed, slices.Collect(maps.Keys(announced))) {
		if !m.seen[key] {
			found[key] = map[string]string{}
		}
	}
	types, err := m.s.SlotTypes(ctx)
	if err != nil {
		return err
	}
	writer, err := m.s.writer(ctx)
	if err != nil {
		return err
	}
	for _, t := range types {
		rows, err := m.s.client.ZRange(ctx, m.s.key("pending", t), 0, staleRows-1).Result()
		if err != nil && !isRefusal(err) {
			return fmt.Errorf("read pending:%s: %w", t, err)
		}
		for _, row := range rows {
			key, instance, ok := stream.SplitMember(row)
			if !ok {
				if err := writer.ZRem(ctx, m.s.key("pending", t), row).Err(); err != nil {
					return fmt.Errorf("clear pending:%s: %w", t, err)
				}
				continue
			}
			if found[key] == nil {
				found[key] = map[string]string{}
			}
			found[key][instance] = t
		}
	}
	return nil
}

// mend mends some streams in one round trip. A stream that somebody announces is
// looked at again, as its mark may be lost; one that nobody does only if nobody
// did the last time either: a poller may be about to tell again what was lost.
func (m *Mender) mend(ctx context.Context, keys []string, found map[string]map[string]string, announced map[string]bool, ttl time.Duration, out *Mended) error {
	calls := make([][]any, len(keys))
	for i, key := range keys {
		look := announced[key] || m.unsaid[key]
		if announced[key] {
			delete(m.unsaid, key)
		} else {
			m.unsaid[key] = true
		}
		calls[i] = pairs([]any{key, ttl.Milliseconds(), bit(look)}, found[key])
	}
	replies, refused, err := m.s.callMany(ctx, "mend", calls)
	if err != nil {
		return err
	}
	for i, r := range replies {
		if refused[i] != nil {
			continue // want says so: the stream is marked where anything is announced
		}
		if r.status() != "ok" {
			return r.unexpected("mend")
		}
		out.Corrections += int(r.num(1))
		rows := r.rows(2)
		for _, row := range rows {
			out.Held[row.str(0)+":"+row.str(1)]++
		}
		if len(rows) == 0 && len(found[keys[i]]) == 0 && !announced[keys[i]] {
			delete(m.unsaid, keys[i]) // gone
		}
	}
	return nil
}

// announcedKeys are all streams that some source announces.
func (s *Store) announcedKeys(ctx context.Context) (map[string]bool, error) {
	sources, err := s.SourceNames(ctx)
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	if len(sources) == 0 {
		return keys, nil
	}
	pipe := s.client.Pipeline()
	cmds := make([]*redis.StringSliceCmd, len(sources))
	for i, name := range sources {
		cmds[i] = pipe.HKeys(ctx, s.key("announced", name))
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read what is announced: %w", err)
	}
	for _, cmd := range cmds {
		for _, key := range cmd.Val() {
			keys[key] = true
		}
	}
	return keys, nil
}

// escapeGlob writes a prefix so that SCAN matches it as it is.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
