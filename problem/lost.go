package problem

import (
	"time"

	"stream-api/stream"
)

// Lost is a slot that a host ended because another has it: two ran at once.
type Lost struct {
	At     int64 // store's ms
	Stream string
	Slot   string
	Host   string
	stream.Told
}

// EventLost is how the feed of events calls one.
const EventLost = "lost"

const (
	lostFor  = 15 * time.Minute // how long it is worth somebody's attention
	lostMost = 20
)

// Losses are the latest of the feed. The zero value is none.
type Losses struct{ rows []Lost }

// Add takes in one more.
func (l *Losses) Add(v Lost) {
	l.rows = append(l.rows, v)
	l.rows = l.rows[max(0, len(l.rows)-lostMost):]
}

// List is what is not too old at a moment, store's ms.
func (l *Losses) List(now int64) []Lost {
	out := []Lost{}
	for _, v := range l.rows {
		if now-v.At < lostFor.Milliseconds() {
			out = append(out, v)
		}
	}
	return out
}
