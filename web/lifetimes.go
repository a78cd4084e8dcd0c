package web

import (
	"stream-api/store"
	"stream-api/stream"
)

// maxLifetimes bounds what is remembered of streams that nobody sees ending.
const maxLifetimes = 100_000

// lifetimes reads durations out of the feed of events. Times are the store's,
// so that no host's clock counts. It is used by one goroutine.
type lifetimes struct {
	appeared map[string]uint64     // stream → ms
	ran      map[slotName]bool     // started since the stream appeared
	taken    map[slotName]uint64   // taken back from a lapsed host, ms
	slots    map[string][]slotName // of each stream, to forget them
}

type slotName struct{ key, slot string }

// sample is a duration that an event ended.
type sample struct {
	failover bool // else: from appeared to running
	kind     string
	seconds  float64
}

func newLifetimes() *lifetimes {
	return &lifetimes{appeared: map[string]uint64{}, ran: map[slotName]bool{}, taken: map[slotName]uint64{}, slots: map[string][]slotName{}}
}

// observe takes the next event; ok if it ended a duration.
func (l *lifetimes) observe(e store.Event) (s sample, ok bool) {
	at, _, valid := parseID(e.ID)
	if !valid {
		return sample{}, false
	}
	if stream.IsJob(e.Slot) {
		return sample{}, false // what comes after begins when it may
	}
	name := slotName{e.Stream, stream.SlotOf(e.Slot)}
	switch e.Event {
	case "appeared":
		l.forget(e.Stream)
		if len(l.appeared) < maxLifetimes {
			l.appeared[e.Stream] = at
		}
	case "gone":
		l.forget(e.Stream)
	case "reaped":
		if len(l.taken) < maxLifetimes {
			l.taken[name] = at
			l.slots[e.Stream] = append(l.slots[e.Stream], name)
		}
	case "started":
		if since, lost := l.taken[name]; lost {
			delete(l.taken, name)
			return sample{failover: true, kind: name.slot, seconds: seconds(since, at)}, true
		}
		since, known := l.appeared[e.Stream]
		if !known || l.ran[name] {
			return sample{}, false
		}
		l.ran[name] = true
		l.slots[e.Stream] = append(l.slots[e.Stream], name)
		return sample{kind: name.slot, seconds: seconds(since, at)}, true
	}
	return sample{}, false
}

func (l *lifetimes) forget(key string) {
	for _, name := range l.slots[key] {
		delete(l.ran, name)
		delete(l.taken, name)
	}
	delete(l.slots, key)
	delete(l.appeared, key)
}

func seconds(from, to uint64) float64 {
	if to < from {
		return 0 // the store's clock was set back
	}
	return float64(to-from) / 1000
}
