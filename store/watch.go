package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// WatchSources finds the sources that became unknown or good again, and has
// their streams looked at: which source a stream uses depends on it. It
// returns how many streams it marked.
func (s *Store) WatchSources(ctx context.Context) (int, error) {
	names, err := s.client.SMembers(ctx, s.key("sources")).Result()
	if err != nil {
		return 0, fmt.Errorf("read sources: %w", err)
	}
	marked := 0
	for _, name := range names {
		n, err := s.watchSource(ctx, name)
		if err != nil {
			return marked, err
		}
		marked += n
	}
	return marked, nil
}

func (s *Store) watchSource(ctx context.Context, name string) (int, error) {
	r, err := s.call(ctx, "watch", name)
	if err != nil {
		return 0, err
	}
	if r.status() != "ok" {
		return 0, r.unexpected("watch")
	}
	state, told := r.str(1), r.str(2)
	if state == told {
		return 0, nil
	}
	var keys []string
	// Its first good poll has marked what it announced.
	if told != "" || stream.SourceState(state) != stream.SourceGood {
		if keys, err = s.client.HKeys(ctx, s.key("announced", name)).Result(); err != nil {
			return 0, fmt.Errorf("read announced:%s: %w", name, err)
		}
		if err := s.MarkDirty(ctx, keys...); err != nil {
			return 0, err
		}
	}
	// Last, so that whoever dies before it leaves it to be done again.
	writer, err := s.writer(ctx)
	if err != nil {
		return 0, err
	}
	if err := writer.HSet(ctx, s.key("source", name), "told", state).Err(); err != nil {
		return 0, fmt.Errorf("watch source %s: %w", name, err)
	}
	return len(keys), nil
}
