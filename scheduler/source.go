package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// defaultGoneAfter is the patience with a source that never said its own.
const defaultGoneAfter = 60 * time.Second

// choice is which source a stream uses now.
type choice struct {
	source string // empty: nobody announces the stream
	// away: the source does not list the stream just now, or is unknown.
	away bool
	// memory of a better source that is back, to be kept in the record.
	memory string
	// again is when the answer may be another though nobody says anything
	// new, server ms; 0: never.
	again int64
}

// chooseSource decides which source a stream uses. Changing it restarts the
// stream's children, so it is done once for an outage and once after it:
//
//   - The source in use is kept while it is in doubt (it misses the stream, or
//     nobody could ask it) for less than its gone_after: it may only flap.
//   - Then a good source that lists the stream takes over, the highest rank
//     first, then by name. Without one the source in doubt is kept: unknown is
//     not gone.
//   - A good source of higher rank that is back takes over after hysteresis
//     of uninterrupted goodness.
//   - A source that took the stream back is left at once.
func chooseSource(v store.Declared, hysteresis time.Duration) choice {
	good, doubtful := ranked(v)
	current, announced := v.BySource[v.Current]
	switch {
	case !announced && len(good) > 0:
		return choice{source: good[0]}
	case !announced && len(doubtful) > 0:
		return choice{source: doubtful[0], away: true}
	case !announced:
		return choice{}
	}
	stay := choice{source: v.Current, away: doubtSince(current) != 0}
	if len(good) == 0 || good[0] == v.Current {
		return stay
	}
	best := good[0]
	if v.BySource[best].Rank > current.Rank {
		since := v.Now
		if name, at, ok := parseMemory(v.Return); ok && name == best {
			since = at
		}
		due := since + hysteresis.Milliseconds()
		if v.Now >= due {
			return choice{source: best}
		}
		stay.memory, stay.again = fmt.Sprintf("%s %d", best, since), due
	}
	if stay.away {
		patience := current.GoneAfter
		if patience < 0 {
			patience = defaultGoneAfter
		}
		due := doubtSince(current) + patience.Milliseconds()
		if v.Now >= due {
			return choice{source: best}
		}
		if stay.again == 0 || due < stay.again {
			stay.again = due
		}
	}
	return stay
}

// doubtSince is since when it is not known that the source lists the stream,
// server ms; 0: it does. A source that was never asked well is in doubt since
// ever.
func doubtSince(by store.Declaration) int64 {
	if by.MissingSince != 0 {
		return by.MissingSince
	}
	if by.State == stream.SourceGood {
		return 0
	}
	return max(by.LastGood, 1)
}

// ranked sorts the announcing sources: those that list the stream now, and
// those in doubt; highest rank first, then by name.
func ranked(v store.Declared) (good, doubtful []string) {
	for name, by := range v.BySource {
		if doubtSince(by) == 0 {
			good = append(good, name)
		} else {
			doubtful = append(doubtful, name)
		}
	}
	order := func(a, b string) int {
		return cmp.Or(cmp.Compare(v.BySource[b].Rank, v.BySource[a].Rank), cmp.Compare(a, b))
	}
	slices.SortFunc(good, order)
	slices.SortFunc(doubtful, order)
	return good, doubtful
}

func parseMemory(text string) (source string, since int64, ok bool) {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return "", 0, false
	}
	since, err := strconv.ParseInt(text[at+1:], 10, 64)
	return text[:at], since, err == nil
}
