package store

import (
	"context"
	"encoding/json"
	"fmt"

	"stream-api/stream"
)

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
