package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// held says why nothing is taken or given now, or nil; now is the store's clock,
// ms. That nobody ticks may have a reason of its own, which is looked for. It
// writes nothing.
func (s *Store) held(ctx context.Context, now int64) (*stream.HoldStatus, error) {
	r, err := s.ask(ctx, "held")
	if isRefusal(err) {
		return s.noTick(ctx, now)
	}
	if text, ok := redisAnswer(err); ok && strings.HasPrefix(text, "NOPERM") {
		return s.heldAsRead(ctx, now)
	}
	if err != nil {
		return nil, err
	}
	switch r.status() {
	case "open":
		return nil, nil
	case "held":
		why, until := r.reason(1), now
		if why.Code == stream.CodeNeverWatched || why.Code == stream.CodeUnwatched {
			return s.noTick(ctx, now)
		}
		if r.str(2) != "" {
			until = r.num(2)
		}
		return &stream.HoldStatus{Until: until, Told: why.Told()}, nil
	}
	return nil, r.unexpected("held")
}

// heldAsRead is the same for a user who may read and run no script: the order and
// the limits are those of held() there.
func (s *Store) heldAsRead(ctx context.Context, now int64) (*stream.HoldStatus, error) {
	row, err := s.client.HGetAll(ctx, s.key("reaper")).Result()
	if err != nil && !isRefusal(err) {
		return nil, fmt.Errorf("read reaper: %w", err)
	}
	tick, until, mass := atoi64(row["tick"]), atoi64(row["until"]), atoi64(row["mass_until"])
	switch {
	case now-tick > (3 * time.Second).Milliseconds():
		return s.noTick(ctx, now)
	case tick-now > (500 * time.Millisecond).Milliseconds():
		return &stream.HoldStatus{Until: now, Told: stream.Because(stream.CodeClockBack).Told()}, nil
	case until > now:
		return &stream.HoldStatus{Until: until, Told: stream.ParseReason(row["reason"]).Told()}, nil
	case mass > now:
		return &stream.HoldStatus{Until: mass, Told: stream.Because(stream.CodeMassLapse).Told()}, nil
	}
	return nil, nil
}

// ask runs a script that only reads. It neither writes a layout into a store that
// has none nor fences one that has forgotten the scripts: who only looks changes
// nothing.
func (s *Store) ask(ctx context.Context, name string, args ...any) (reply, error) {
	script, argv := s.prepare(name, args)
	raw, err := s.client.EvalSha(ctx, script.SHA, nil, argv...).Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		raw, err = s.client.Eval(ctx, script.Text, nil, argv...).Result()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rows, ok := raw.([]any)
	if !ok || len(rows) == 0 {
		return nil, fmt.Errorf("%s: %w: %v", name, ErrReply, raw)
	}
	return rows, nil
}
