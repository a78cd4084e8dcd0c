package statedir

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/regular"
)

// Bounds of what is remembered. A token is of use to nobody once its release
// has been taken in; it is kept for the day on which a store set back to
// older data speaks of it again.
const (
	tombstoneAge  = 24 * time.Hour
	maxTombstones = 50_000
)

// Tombstones are the tokens that never start again on this host. They are
// written before the release they belong to is sent, one line each.
type Tombstones struct {
	path string
	log  zerolog.Logger

	mu   sync.Mutex
	file io.WriteCloser
	torn bool             // what was written last may be half a line
	dead map[string]int64 // token → unix seconds
}

// Tombstones reads what is remembered in the directory; see openTombstones.
func (d *Dir) Tombstones(now time.Time, log zerolog.Logger) (*Tombstones, error) {
	return openTombstones(filepath.Join(d.path, fileTombstones), now, log)
}

// openTombstones reads what is remembered and rewrites it without what is
// too old. A full disk keeps nobody from their children: then the file is
// gone on with as it is.
func openTombstones(path string, now time.Time, log zerolog.Logger) (*Tombstones, error) {
	t := &Tombstones{path: path, log: log, dead: map[string]int64{}}
	text, err := readFile(path, maxTombsBytes)
	switch {
	case errors.Is(err, regular.ErrOdd):
		log.Warn().Err(err).Msg("the tombstones do not read; which tokens ended the memos tell, for as long as they are kept")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("tombstones: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		at, token, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		when, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || token == "" || strings.Contains(token, " ") || !strings.HasSuffix(line, "\n") {
			continue // half written when the machine died; nothing of that life runs now
		}
		t.dead[token] = when
	}
	t.torn = len(text) > 0 && !bytes.HasSuffix(text, []byte("\n"))
	if err := t.rewrite(now); err != nil {
		log.Warn().Err(err).Msg("the tombstones are not rewritten without the old ones; they are gone on with as they are")
		if t.file, err = regular.Open(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("tombstones: %w", err)
		}
	}
	return t, nil
}

// rewrite leaves out what is too old and opens the file for appending.
func (t *Tombstones) rewrite(now time.Time) error {
	var out bytes.Buffer
	oldest := now.Add(-tombstoneAge).Unix()
	for token, at := range t.dead {
		if at < oldest {
			delete(t.dead, token)
			continue
		}
		fmt.Fprintf(&out, "%d %s\n", at, token)
	}
	if err := replaceFile(t.path, out.Bytes()); err != nil {
		return err
	}
	f, err := regular.Open(t.path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if t.file != nil {
		_ = t.file.Close() // replaced; everything in it was written out again
	}
	t.file, t.torn = f, false
	return nil
}

// Bury persists that the token never starts again. Only after it returned
// nil may a release be sent.
func (t *Tombstones) Bury(token string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.dead[token]; ok {
		return nil
	}
	if len(t.dead) >= maxTombstones {
		t.forgetHalf()
		if err := t.rewrite(now); err != nil {
			t.log.Warn().Err(err).Msg("the tombstones are not rewritten without the old ones; the file grows")
		}
	}
	line := fmt.Sprintf("%d %s\n", now.Unix(), token)
	if t.torn {
		line = "\n" + line // or it would be read as one with what is left of the last
	}
	if _, err := io.WriteString(t.file, line); err != nil {
		t.torn = true
		return fmt.Errorf("tombstone: %w", err)
	}
	t.torn = false
	t.dead[token] = now.Unix()
	return nil
}

// Remember has the token not start again in this life.
func (t *Tombstones) Remember(token string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.dead) >= maxTombstones {
		t.forgetHalf()
	}
	t.dead[token] = now.Unix()
}

// forgetHalf forgets the older half of a day that ended more children than
// are remembered. Of one second the tokens tell which is older: they begin
// with the time they were issued at.
func (t *Tombstones) forgetHalf() {
	tokens := slices.SortedFunc(maps.Keys(t.dead), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.dead[a], t.dead[b]), cmp.Compare(a, b))
	})
	for _, token := range tokens[:len(tokens)/2] {
		delete(t.dead, token)
	}
}

// Has tells whether the token is buried.
func (t *Tombstones) Has(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.dead[token]
	return ok
}

// Close ends the writing.
func (t *Tombstones) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.file.Close()
}
