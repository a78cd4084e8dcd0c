package main

import (
	"context"
	"time"

	"stream-api/sources"
	"stream-api/store"
)

// loopGuard knows where our own slots publish, so that an ingest that lists
// such a stream is not taken for a publisher: a sink polled as a source would
// feed the chain with its own output.
type loopGuard struct {
	published func(context.Context) (sources.Outputs, error)

	// turn is held by the one who reads; what is below belongs to it.
	turn chan struct{}
	read time.Time // when the last reading began
	by   sources.Outputs
}

func newLoopGuard(s *store.Store) *loopGuard {
	return &loopGuard{published: func(ctx context.Context) (sources.Outputs, error) { return publishedPlaces(ctx, s) }, turn: make(chan struct{}, 1)}
}

// output is that of sources.Deps. Sources that find new streams at the same
// time share a reading; one that began before its asker asked is not fresh,
// however young. On failure the last reading comes with the error.
func (g *loopGuard) output(ctx context.Context, fresh bool) (sources.Outputs, error) {
	asked := time.Now()
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-g.turn }()
	begun := time.Now()
	if g.by != nil && (!fresh || g.read.After(asked)) {
		return g.by, nil
	}
	by, err := g.published(ctx)
	if err != nil {
		return g.by, err
	}
	g.by, g.read = by, begun
	return by, nil
}

// publishedPlaces reads what the slots of all streams publish.
func publishedPlaces(ctx context.Context, s *store.Store) (sources.Outputs, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.Records(ctx, keys)
	if err != nil {
		return nil, err
	}
	by := sources.Outputs{}
	for _, r := range records {
		for _, slot := range r.Slots {
			for _, value := range slot.Vars {
				for _, at := range sources.Places(value) {
					by[at] = append(by[at], r.Key)
				}
			}
		}
	}
	return by, nil
}
