package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Waiting is a pending instance, in line by priority, then age.
type Waiting struct {
	Key      string
	Instance string // the instance
	Type     string
}

// Pending lists up to n pending slots of a type from the given rank on.
func (s *Store) Pending(ctx context.Context, t string, from, n int) ([]Waiting, error) {
	members, err := s.client.ZRange(ctx, s.key("pending", t), int64(from), int64(from+n-1)).Result()
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
