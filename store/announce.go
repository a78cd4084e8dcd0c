package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"stream-api/stream"
)

// announceChunk is how many streams one script call takes, so that a large
// first poll does not block the server for long.
const announceChunk = 500

// SourceTakenError refuses a second, different ingest under one source name.
type SourceTakenError struct{ Source, Identity, Poller string }

func (e *SourceTakenError) Error() string {
	return fmt.Sprintf("source %s is already polled as %q by %s; give one of the two another name, or both the same url and what their ${host:…} stand for", e.Source, e.Identity, e.Poller)
}

// Asked is what tells apart what two sources of one name ask.
func (i SourceInfo) Asked() string { return i.Type + " " + i.URL }

// Identity tells besides whether two hosts that ask the same announce the same under the same rules.
func (i SourceInfo) Identity() string {
	id := i.Asked()
	if i.Digest != "" {
		id += " with settings " + i.Digest
	}
	return id
}

// full is the reason why new streams of the source are refused; empty: none is.
func (i SourceInfo) full(source string) string {
	if i.Over == 0 {
		return ""
	}
	return stream.Because(stream.CodeSourceFull, "example", i.OverExample, "max", strconv.Itoa(i.Max), "source", source).Wire()
}

// Announce tells the store of one good poll. Error: *SourceTakenError.
func (s *Store) Announce(ctx context.Context, p Poll) (PollResult, error) {
	info, err := json.Marshal(p.Info)
	if err != nil {
		return PollResult{}, fmt.Errorf("announce %s: %w", p.Source, err)
	}
	out, known := PollResult{Version: p.Version}, p.Known
	keys := slices.Sorted(maps.Keys(p.Upsert))
	for first := true; first || len(keys) > 0; first = false {
		n := min(len(keys), announceChunk)
		args := []any{p.Source, p.Info.Identity(), p.Poller, out.Version, known, p.LastGood, p.GoneAfter.Milliseconds(), string(info), nonce(), p.Rules, p.Info.full(p.Source), n}
		for _, key := range keys[:n] {
			args = append(args, key, p.Upsert[key])
		}
		keys = keys[n:]
		// What is absent or back goes with the last chunk.
		var absent, back []string
		if len(keys) == 0 {
			absent, back = p.Absent, p.Back
		}
		args = strList(strList(args, absent), back)
		r, err := s.call(ctx, "announce", args...)
		if err != nil {
			return PollResult{}, err
		}
		out.Now, out.Version, known = r.num(1), r.str(2), 0
		switch r.status() {
		case "ok":
			out.Gone = r.strs(3)
			if next := r.num(4); next >= 0 {
				out.NextGone = time.Duration(max(next, 1)) * time.Millisecond
			}
		case "version":
			out.Stale = true
			return out, nil
		case "rules":
			out.Stale, out.Ruled = true, true
			return out, nil
		case "taken":
			return PollResult{}, &SourceTakenError{Source: p.Source, Identity: r.str(1), Poller: r.str(2)}
		default:
			return PollResult{}, r.unexpected("announce")
		}
	}
	out.Changed = append(slices.Sorted(maps.Keys(p.Upsert)), p.Back...)
	return out, nil
}

func strList(args []any, list []string) []any {
	args = append(args, len(list))
	for _, item := range list {
		args = append(args, item)
	}
	return args
}

// Announced reads what is announced of a source.
func (s *Store) Announced(ctx context.Context, source string) (AnnouncedSet, error) {
	// The version first: a set newer than its version is harmless, as the
	// next Announce is told so.
	version, err := s.client.HGet(ctx, s.key("source", source), "version").Result()
	if err := present(err); err != nil {
		return AnnouncedSet{}, fmt.Errorf("read source %s: %w", source, err)
	}
	entries, err := s.client.HGetAll(ctx, s.key("announced", source)).Result()
	if err != nil {
		return AnnouncedSet{}, fmt.Errorf("read announced:%s: %w", source, err)
	}
	marks, err := s.client.HGetAll(ctx, s.key("missing", source)).Result()
	if err != nil {
		return AnnouncedSet{}, fmt.Errorf("read missing:%s: %w", source, err)
	}
	missing := make(map[string]int64, len(marks))
	for key, text := range marks {
		since, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			since = 0 // edited by hand; the next absence sets it anew
		}
		missing[key] = since
	}
	return AnnouncedSet{Version: version, Entries: entries, Missing: missing}, nil
}
