package sources

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"stream-api/stream"
)

// lister finds out what is live now. An error means that nothing is known.
type lister interface {
	list(ctx context.Context) (listing, error)
	// close lets go of idle connections; the lister stays usable.
	close()
}

// listing is one complete answer of an ingest.
type listing struct {
	mounts []stream.Mount
	// unreadable counts entries from which no name could be read; example
	// is one of them.
	unreadable int
	example    string
	bytes      int    // size of the answer
	warning    string // something to mend that did not stop the poll

	// carried counts the mounts, last in the list, that an earlier answer
	// listed and of which this one says nothing.
	carried int
	// partial says that there may be streams which no answer has listed yet.
	// Of all others only those in ended are known not to be live.
	partial bool
	ended   []string
}

// maxMounts bounds an answer in mounts: a hostile one of 16 MiB could name more
// than a million, each of which costs far more here than there.
const maxMounts = 50_000

var errTooMany = fmt.Errorf("the answer names more than %d streams; is the url right", maxMounts)

// add takes a mount.
func (l *listing) add(m stream.Mount) error {
	if len(l.mounts) >= maxMounts {
		return errTooMany
	}
	l.mounts = append(l.mounts, m)
	return nil
}

// unread counts an entry without a readable name.
func (l *listing) unread(why string) {
	l.unreadable++
	if l.example == "" {
		l.example = why
	}
}

// complete is the end of every parser: entries were there, but none of them
// could be read, so the answer is not in the format it was taken for and says
// nothing about what is live.
func (l *listing) complete() (listing, error) {
	if l.unreadable > 0 && len(l.mounts) == 0 {
		return listing{}, fmt.Errorf("none of its %d entries can be read (%s); is the source's type right", l.unreadable, l.example)
	}
	return *l, nil
}

// maxFact bounds a fact strangers hand in (a title, say), in bytes.
const maxFact = 512

// fact adds a variable of the ingest to vars unless it is empty. Strangers
// chose most values, so they are made fit for an environment variable: valid
// UTF-8, one line, no control characters, bounded.
func fact(vars map[string]string, name, value string) {
	if value = cleanFact(value); value != "" {
		vars[name] = value
	}
}

func cleanFact(s string) string {
	if plainASCII(s) && len(s) <= maxFact {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == 0x7f, r == utf8.RuneError, 0x80 <= r && r < 0xa0, r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxFact {
		s = strings.ToValidUTF8(s[:maxFact], "") // a rune cut in two goes altogether
	}
	return s
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// join is base + "/" + path with exactly one slash between.
func join(base, path string) string {
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(path, "/")
}
