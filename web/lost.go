package web

import (
	"sync"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// Lost is a slot that a host ended because another has it: two ran at once.
type Lost struct {
	At     int64  `json:"at"` // store's ms
	Stream string `json:"stream"`
	Slot   string `json:"slot"`
	Host   string `json:"host"`
	stream.Told
}

const (
	lostFor  = 15 * time.Minute // how long it is worth somebody's attention
	lostMost = 20
)

// losses are the latest of the feed.
type losses struct {
	mu   sync.Mutex
	rows []Lost
}

// event takes in an event of the feed, masked.
func (l *losses) event(e store.Event) {
	at, _, valid := parseID(e.ID)
	if e.Event != "lost" || !valid {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, Lost{At: int64(at), Stream: e.Stream, Slot: e.Slot, Host: e.Host, Told: e.Told})
	l.rows = l.rows[max(0, len(l.rows)-lostMost):]
}

// list is what is not too old at a moment, store's ms.
func (l *losses) list(now int64) []Lost {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []Lost{}
	for _, v := range l.rows {
		if now-v.At < lostFor.Milliseconds() {
			out = append(out, v)
		}
	}
	return out
}
