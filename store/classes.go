package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Heads reads the load of the least loaded host of each class of a type, as place
// compares it. A class that no host is up for is left out.
func (s *Store) Heads(ctx context.Context, t string, classes []string) (map[string]float64, error) {
	pipe := s.client.Pipeline()
	cmds := make([]*redis.ZSliceCmd, len(classes))
	for i, class := range classes {
		cmds[i] = pipe.ZRangeWithScores(ctx, s.key("load", t, class), 0, 0)
	}
	if len(cmds) == 0 {
		return nil, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read load of %s: %w", t, err)
	}
	heads := make(map[string]float64, len(classes))
	for i, cmd := range cmds {
		if rows := cmd.Val(); len(rows) > 0 {
			heads[classes[i]] = rows[0].Score
		}
	}
	return heads, nil
}

// Classes reads the classes of a type by id. What does not parse (edited by
// hand) is left out: its services take nothing until they register again.
func (s *Store) Classes(ctx context.Context, t string) (map[string]stream.Class, error) {
	rows, err := s.client.HGetAll(ctx, s.key("classes", t)).Result()
	if err != nil {
		return nil, fmt.Errorf("read classes:%s: %w", t, err)
	}
	classes := make(map[string]stream.Class, len(rows))
	for id, row := range rows {
		var c stream.Class
		if json.Unmarshal([]byte(row), &c) == nil {
			classes[id] = c
		}
	}
	return classes, nil
}
