package sources

import (
	"slices"
	"time"
)

// maxStalled bounds the list shown to operators.
const maxStalled = 100

// stallWatch finds mounts that are listed while no bytes come in: a publisher
// that lost power holds its mount for many seconds, one whose encoder hangs
// for ever. It only warns; what is listed stays announced.
type stallWatch struct {
	after time.Duration
	grown map[string]growth
}

type growth struct {
	bytes int64
	at    time.Time // when bytes last changed
	polls int       // good polls since then
	stall bool
}

// observe takes the bytes of one good listing and returns the keys without new
// ones for long enough, over at least three polls, sorted. Of those in earlier
// the listing said nothing.
func (w *stallWatch) observe(now time.Time, bytes map[string]int64, earlier map[string]bool) []string {
	next := make(map[string]growth, len(bytes))
	var stalled []string
	for key := range earlier {
		if g, known := w.grown[key]; known {
			next[key] = g
			if g.stall {
				stalled = append(stalled, key)
			}
		}
	}
	for key, n := range bytes {
		g, known := w.grown[key]
		if !known || g.bytes != n {
			g = growth{bytes: n, at: now}
		} else if g.polls++; g.polls >= 3 && now.Sub(g.at) >= w.after {
			g.stall, stalled = true, append(stalled, key)
		}
		next[key] = g
	}
	w.grown = next
	slices.Sort(stalled)
	return stalled[:min(len(stalled), maxStalled)]
}
