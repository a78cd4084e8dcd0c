package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// Of who was refused something by Redis.
const (
	// tellPause is the least time between two tellings of one host.
	tellPause = 5 * time.Second
	// toldFor is how long what a host told counts as news.
	toldFor = 3 * tellPause
)

// tellRefusal leaves word in the store that this host may not do something
// there, so that others see why it does not work. Who may not even do that, or
// finds a store that takes no writes, says it in its own log and metrics.
func (s *Store) tellRefusal(script string, err error) {
	r, refused := RefusalOf(err)
	if !s.tells || !refused || r.Word != "noperm" && r.Word != "unknown-command" {
		return
	}
	s.telling.Lock()
	due := time.Since(s.told) >= tellPause
	if due {
		s.told = time.Now()
	}
	s.telling.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	now, err := s.Now(ctx)
	if err != nil {
		return
	}
	text, err := json.Marshal(stream.RefusedStatus{At: now, What: script, Word: r.Word, Answer: r.Answer, Do: r.Do})
	if err != nil {
		return
	}
	writer, err := s.writer(ctx)
	if err != nil {
		return
	}
	pipe := writer.Pipeline()
	pipe.HSet(ctx, s.key("refused"), s.actor, text)
	pipe.Expire(ctx, s.key("refused"), time.Minute)
	_, _ = pipe.Exec(ctx) // who may not say it says it elsewhere
}

// refusedNow lists who was refused something of late, by host.
func (s *Store) refusedNow(ctx context.Context, now int64) ([]stream.RefusedStatus, error) {
	rows, err := s.client.HGetAll(ctx, s.key("refused")).Result()
	if isRefusal(err) {
		return nil, nil // a hand made it another type; it is gone within a minute of the next word
	}
	if err != nil {
		return nil, fmt.Errorf("read refused: %w", err)
	}
	var out []stream.RefusedStatus
	for host, text := range rows {
		var v stream.RefusedStatus
		if json.Unmarshal([]byte(text), &v) != nil || now-v.At > toldFor.Milliseconds() {
			continue // a hand's, or old
		}
		v.Host = host
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b stream.RefusedStatus) int { return strings.Compare(a.Host, b.Host) })
	return out, nil
}

// Writes asks Redis to write what it then does not write, and tells whether it
// refuses. Who may only read is told by INFO what the others would be answered.
// Error: there is no answer.
func (s *Store) Writes(ctx context.Context) (r Refusal, refused bool, err error) {
	// There is no such key, so there is nothing to set; but it would take memory.
	err = s.client.Do(ctx, "set", s.key("turn", "none"), "0", "xx").Err()
	if present(err) == nil {
		return Refusal{}, false, nil
	}
	r, refused = RefusalOf(err)
	switch {
	case !refused:
		return Refusal{}, false, fmt.Errorf("look whether the store takes writes: %w", err)
	case r.Everybody:
		return r, true, nil
	}
	info, err := s.info(ctx)
	if _, denied := RefusalOf(err); denied {
		return Refusal{}, false, nil // it may look at nothing of it
	}
	if err != nil {
		return Refusal{}, false, err
	}
	r, refused = refusalIn(info)
	return r, refused, nil
}

// refusalIn is what a server that describes itself so answers to whoever writes.
func refusalIn(info map[string]string) (Refusal, bool) {
	used, most := atoi64(info["used_memory"]), atoi64(info["maxmemory"])
	switch {
	case info["role"] == "slave":
		return refusalOf("READONLY", "it is a replica"), true
	case most > 0 && used > most && info["maxmemory_policy"] == "noeviction":
		return refusalOf("OOM", "used memory > 'maxmemory'"), true
	case info["rdb_last_bgsave_status"] == "err" || info["aof_last_write_status"] == "err":
		return refusalOf("MISCONF", "its last write to its disk failed"), true
	}
	return Refusal{}, false
}

// refusalOf is the row of a word of the table.
func refusalOf(word, text string) Refusal {
	for _, v := range refusals {
		if v.begins == word+" " {
			return Refusal{Word: v.word, Answer: word + " " + text, Do: v.do, Everybody: v.everybody}
		}
	}
	panic("store: no such refusal " + word)
}

// noTick says why no scheduler has ticked for 3 s: that none is at work is but
// one of the reasons.
func (s *Store) noTick(ctx context.Context, now int64) (*stream.HoldStatus, error) {
	r, refused, err := s.Writes(ctx)
	if err != nil {
		return nil, err
	}
	if refused {
		return &stream.HoldStatus{Until: now, Refuses: r.Word, Told: stream.Because(stream.CodeNoWrites, "answer", r.String()).Told()}, nil
	}
	told, err := s.refusedNow(ctx, now)
	if err != nil {
		return nil, err
	}
	if len(told) > 0 {
		v := told[0]
		return &stream.HoldStatus{Until: now, Told: stream.Because(stream.CodeNoLooks, "what", v.What, "host", v.Host, "answer", v.Answer, "do", v.Do).Told()}, nil
	}
	return &stream.HoldStatus{Until: now, Told: stream.Because(stream.CodeNoScheduler).Told()}, nil
}

// info is what the server says of itself. The embedded one says next to nothing.
func (s *Store) info(ctx context.Context) (map[string]string, error) {
	text, err := s.client.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("ask INFO: %w", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out, nil
}
