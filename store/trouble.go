package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"stream-api/stream"
)

// TroublePause is how often a trouble is told while it lasts; it counts for
// three times that.
const TroublePause = tellPause

// TellTrouble leaves word in the store of what the actor lacks, for status and
// doctor, in place of what it said before. Error: *LayoutError.
func (s *Store) TellTrouble(ctx context.Context, what, do string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(stream.TroubleStatus{At: now, What: what, Do: do})
	if err != nil {
		return err
	}
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	pipe := writer.Pipeline()
	pipe.HSet(ctx, s.key("troubles"), s.actor, text)
	pipe.Expire(ctx, s.key("troubles"), time.Minute)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("tell the store: %w", err)
	}
	return nil
}

// troublesNow lists what hosts lack, by host.
func (s *Store) troublesNow(ctx context.Context, now int64) ([]stream.TroubleStatus, error) {
	rows, err := s.client.HGetAll(ctx, s.key("troubles")).Result()
	if isRefusal(err) {
		return nil, nil // a hand made it another type; it is gone within a minute of the next word
	}
	if err != nil {
		return nil, fmt.Errorf("read troubles: %w", err)
	}
	var out []stream.TroubleStatus
	for host, text := range rows {
		var v stream.TroubleStatus
		if json.Unmarshal([]byte(text), &v) != nil || now-v.At > toldFor.Milliseconds() {
			continue // a hand's, or old
		}
		v.Host = host
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b stream.TroubleStatus) int { return cmp.Compare(a.Host, b.Host) })
	return out, nil
}
