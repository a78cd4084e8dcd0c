package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// ManualSource is the name under which `streams add` announces. Nobody polls
// it: what it announces stays until it is taken back.
const ManualSource = "manual"

// AddStream announces a stream by hand, under ManualSource.
func (s *Store) AddStream(ctx context.Context, key string, a stream.Announcement) error {
	if err := stream.CheckKey(key); err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return err
	}
	for range 10 {
		set, err := s.Announced(ctx, ManualSource)
		if err != nil {
			return err
		}
		r, err := s.Announce(ctx, Poll{
			Source: ManualSource, Poller: s.actor, Version: set.Version,
			Upsert: map[string]string{key: a.Encode()}, Info: SourceInfo{Type: ManualSource},
		})
		if err != nil {
			return err
		}
		if !r.Stale {
			return nil
		}
	}
	return fmt.Errorf("add stream %s: others keep changing source %s; try again", key, ManualSource)
}
