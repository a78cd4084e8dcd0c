package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// ItemsOf are the items of the chain of a stream, which may be gone.
func (s *Store) ItemsOf(ctx context.Context, key string) (stream.Items, error) {
	text, err := s.client.HGet(ctx, s.key("stream", key), "items").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read items of %s: %w", key, err)
	}
	return stream.DecodeItems(text), nil
}

// Unmade tells which of these jobs were never made, as far as the store remembers: its
// memory may have been lost.
func (s *Store) Unmade(ctx context.Context, jobs []stream.Instance) ([]bool, error) {
	pipe := s.client.Pipeline()
	for _, job := range jobs {
		pipe.ZScore(ctx, s.key("jobs:made"), job.Job)
	}
	answers, err := pipe.Exec(ctx)
	if len(answers) < len(jobs) {
		return nil, fmt.Errorf("read jobs:made: %w", err)
	}
	unmade := make([]bool, len(jobs))
	for i, answer := range answers {
		if unmade[i] = errors.Is(answer.Err(), redis.Nil); answer.Err() != nil && !unmade[i] {
			return nil, fmt.Errorf("read jobs:made: %w", answer.Err())
		}
	}
	return unmade, nil
}
