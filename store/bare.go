package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// RecordsBare reads several streams without what their slots and instances say: of those there
// are only the names.
func (s *Store) RecordsBare(ctx context.Context, keys []string) ([]Record, error) {
	var out []Record
	for chunk := range slices.Chunk(keys, recordChunk) {
		rows, err := s.hashes(ctx, func(yield func(string)) {
			for _, key := range chunk {
				yield(s.key("stream", key))
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read streams: %w", err)
		}
		for i, row := range rows {
			if len(row) > 0 {
				out = append(out, readRecord(chunk[i], row))
			}
		}
	}
	return out, nil
}

// ItemsOfAll reads the items of all streams that have some, by stream.
func (s *Store) ItemsOfAll(ctx context.Context) (map[string]stream.Items, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]stream.Items{}
	for chunk := range slices.Chunk(keys, streamChunk) {
		pipe := s.client.Pipeline()
		cmds := make([]*redis.StringCmd, len(chunk))
		for i, key := range chunk {
			cmds[i] = pipe.HGet(ctx, s.key("stream", key), "items")
		}
		if err := pipelined(pipe.Exec(ctx)); err != nil {
			return nil, fmt.Errorf("read items: %w", err)
		}
		for i, cmd := range cmds {
			if items := stream.DecodeItems(cmd.Val()); len(items) > 0 {
				out[chunk[i]] = items
			}
		}
	}
	return out, nil
}
