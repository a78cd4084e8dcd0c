package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Waiting is a pending instance, in line by priority, then age.
type Waiting struct {
	Key      string
	Instance string // the instance
	Type     string
}

// firstJob is the score at which jobs begin in a queue, behind all slots: JOBS of the scripts.
const firstJob = "9000000000000000"

// Pending lists up to n pending slots of a type from the given rank on.
func (s *Store) Pending(ctx context.Context, t string, from, n int) ([]Waiting, error) {
	return s.waiting(ctx, t, redis.ZRangeArgs{Start: "-inf", Stop: "(" + firstJob, Offset: int64(from), Count: int64(n)})
}

// PendingJobs lists those that are jobs.
func (s *Store) PendingJobs(ctx context.Context, t string, from, n int) ([]Waiting, error) {
	return s.waiting(ctx, t, redis.ZRangeArgs{Start: firstJob, Stop: "+inf", Offset: int64(from), Count: int64(n)})
}

func (s *Store) waiting(ctx context.Context, t string, args redis.ZRangeArgs) ([]Waiting, error) {
	args.Key, args.ByScore = s.key("pending", t), true
	members, err := s.client.ZRangeArgs(ctx, args).Result()
	if err != nil {
		return nil, fmt.Errorf("read pending:%s: %w", t, err)
	}
	out := make([]Waiting, 0, len(members))
	for _, m := range members {
		if key, instance, ok := stream.SplitMember(m); ok {
			out = append(out, Waiting{Key: key, Instance: instance, Type: t})
		}
	}
	return out, nil
}

// PendingTypes lists the types with pending slots, of those offered and those
// in the chains of known sources.
func (s *Store) PendingTypes(ctx context.Context, types []string) ([]string, error) {
	pipe := s.client.Pipeline()
	for _, t := range types {
		pipe.ZCard(ctx, s.key("pending", t))
	}
	if len(types) == 0 {
		return nil, nil
	}
	cmds, err := pipe.Exec(ctx)
	if err := pipelined(cmds, err); err != nil {
		return nil, fmt.Errorf("read pending: %w", err)
	}
	var out []string
	for i, cmd := range cmds {
		if n, ok := cmd.(interface{ Val() int64 }); ok && n.Val() > 0 {
			out = append(out, types[i])
		}
	}
	return out, nil
}
