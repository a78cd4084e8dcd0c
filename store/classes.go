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

// class reads one class; one that is absent or does not read is the zero class.
func (s *Store) class(ctx context.Context, t, id string) (stream.Class, error) {
	var c stream.Class
	row, err := s.client.HGet(ctx, s.key("classes", t), id).Result()
	if err := present(err); err != nil {
		return c, fmt.Errorf("read classes:%s: %w", t, err)
	}
	if row != "" {
		if err := json.Unmarshal([]byte(row), &c); err != nil {
			return stream.Class{}, nil // edited by hand: the service gets a class that reads
		}
	}
	return c, nil
}
