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
	store *store.Store

	// turn is held by the one who reads; what is below belongs to it.
	turn chan struct{}
	read time.Time
	by   sources.Outputs
}

// guardFresh is how old a reading may be that several sources share which find
// new streams at the same time.
const guardFresh = 100 * time.Millisecond

func newLoopGuard(s *store.Store) *loopGuard {
	return &loopGuard{store: s, turn: make(chan struct{}, 1)}
}

// output is that of sources.Deps. On failure the last reading comes with the
// error.
func (g *loopGuard) output(ctx context.Context, fresh bool) (sources.Outputs, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-g.turn }()
	begun := time.Now()
	if g.by != nil && (!fresh || begun.Sub(g.read) <= guardFresh) {
		return g.by, nil
	}
	by, err := g.refresh(ctx)
	if err != nil {
		return g.by, err
	}
	g.by, g.read = by, begun
	return by, nil
}

// refresh reads what is published.
func (g *loopGuard) refresh(ctx context.Context) (sources.Outputs, error) {
	keys, err := g.store.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	records, err := g.store.Records(ctx, keys)
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
