package web

import (
	"sync"

	"stream-api/problem"
	"stream-api/store"
)

// losses are the slots that ran twice, of the feed.
type losses struct {
	mu sync.Mutex
	of problem.Losses
}

// event takes in an event of the feed, masked.
func (l *losses) event(e store.Event) {
	at, _, valid := parseID(e.ID)
	if e.Event != problem.EventLost || !valid {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of.Add(problem.Lost{At: int64(at), Stream: e.Stream, Slot: e.Slot, Host: e.Host, Told: e.Told})
}

// list is what is not too old at a moment, store's ms.
func (l *losses) list(now int64) []problem.Lost {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of.List(now)
}
