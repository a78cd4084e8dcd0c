package main

import (
	"context"
	"sync"
	"time"

	"stream-api/sources"
	"stream-api/store"
)

// loopGuard knows the URLs that our own slots publish, so that an ingest that
// lists one of them is not taken for a publisher: a sink polled as a source
// would feed the chain with its own output.
type loopGuard struct {
	store *store.Store

	mu    sync.Mutex
	read  time.Time
	by    map[string]string    // canonical URL → stream that publishes it
	asked map[string]time.Time // URL → when what is published was last read for it
}

// A URL that is asked for the first time is worth a fresh reading: it was
// published before the ingest could list it. One that was there before is not,
// so that a steady state reads next to nothing.
const (
	guardFresh  = 100 * time.Millisecond
	guardMemory = time.Minute
)

func newLoopGuard(s *store.Store) *loopGuard {
	return &loopGuard{store: s, asked: map[string]time.Time{}}
}

// own is the predicate of sources.Deps.
func (g *loopGuard) own(key, url string) (publisher string, own bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Sub(g.asked[url]) > guardMemory {
		if now.Sub(g.read) > guardFresh {
			g.refresh(now)
		}
		g.asked[url] = g.read
	}
	publisher, found := g.by[url]
	return publisher, found && publisher != key
}

// refresh reads what is published. On failure the old knowledge serves on:
// the poll could not be announced without the store either.
func (g *loopGuard) refresh(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	g.read = now
	for url, at := range g.asked {
		if now.Sub(at) > guardMemory {
			delete(g.asked, url)
		}
	}
	keys, err := g.store.StreamKeys(ctx)
	if err != nil {
		return
	}
	records, err := g.store.Records(ctx, keys)
	if err != nil {
		return
	}
	g.by = map[string]string{}
	for _, r := range records {
		for _, slot := range r.Slots {
			for _, value := range slot.Vars {
				if url := sources.CanonicalURL(value); url != "" {
					g.by[url] = r.Key
				}
			}
		}
	}
}
