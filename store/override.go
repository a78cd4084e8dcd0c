package store

import (
	"context"
	"fmt"
	"strings"
)

// Overrides are an operator's words on a stream; they outlive polls.
type Overrides struct {
	Held bool
	Vars map[string]string
	Pins map[string]string // slot → host
}

func readOverrides(row map[string]string) Overrides {
	o := Overrides{Held: row["held"] != "", Vars: map[string]string{}, Pins: map[string]string{}}
	for field, value := range row {
		if name, ok := strings.CutPrefix(field, "var:"); ok {
			o.Vars[name] = value
		}
		if slot, ok := strings.CutPrefix(field, "pin:"); ok {
			o.Pins[slot] = value
		}
	}
	return o
}

// Override changes an operator's words on a stream: fields are held, var:<name>
// and pin:<slot>; an empty value takes the word back.
func (s *Store) Override(ctx context.Context, key string, fields map[string]string) error {
	at := s.key("override", key)
	pipe := s.client.TxPipeline()
	for field, value := range fields {
		if value == "" {
			pipe.HDel(ctx, at, field)
		} else {
			pipe.HSet(ctx, at, field, value)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("override %s: %w", key, err)
	}
	return s.MarkDirty(ctx, key)
}
