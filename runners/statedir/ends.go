package statedir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/regular"
	"stream-api/store"
	"stream-api/stream"
)

// Bounds of what is remembered of ends.
const (
	endsAge     = 7 * 24 * time.Hour
	maxEnds     = 20_000
	maxEndBytes = 32 << 20
)

// Ends are the ends of a week, one line each: those that a store which forgot them would
// have to be told, as jobs come after them, and those of jobs that are done, which never
// run again here. A line is on the disk before the release is
// sent: what it tells of outlives the machine's processes.
type Ends struct {
	path string
	log  zerolog.Logger

	mu    sync.Mutex
	file  *os.File
	torn  bool                  // what was written last may be half a line
	lines int                   // of the file
	done  map[string]store.Done // by stream and instance
}

// Ends reads what is remembered in the directory and rewrites it without what is too old.
// A full disk keeps nobody from their children: then the file is gone on with as it is.
func (d *Dir) Ends(now time.Time, log zerolog.Logger) (*Ends, error) {
	e := &Ends{path: filepath.Join(d.path, fileEnds), log: log, done: map[string]store.Done{}}
	if err := e.rewrite(now); err != nil {
		log.Warn().Err(err).Msg("the ends are not rewritten without the old ones; they are gone on with as they are")
		if e.file, err = regular.Open(e.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("ends: %w", err)
		}
		e.torn = true // perhaps
	}
	return e, nil
}

// rewrite leaves out what is too old, and half of what is too much, and opens the file for
// appending.
func (e *Ends) rewrite(now time.Time) error {
	var kept [][]byte
	err := e.each(func(end store.End, line []byte) {
		if now.Sub(end.Ended) < endsAge {
			kept = append(kept, line)
		}
	})
	if err != nil {
		return err
	}
	if len(kept) >= maxEnds {
		kept = kept[len(kept)-maxEnds/2:]
	}
	var out bytes.Buffer
	for _, line := range kept {
		out.Write(line)
		out.WriteByte('\n')
	}
	if err := replaceFile(e.path, out.Bytes()); err != nil {
		return err
	}
	f, err := regular.Open(e.path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if e.file != nil {
		_ = e.file.Close() // replaced; everything in it was written out again
	}
	e.file, e.torn, e.lines, e.done = f, false, len(kept), map[string]store.Done{}
	return e.each(func(end store.End, _ []byte) { e.noteDone(end) })
}

// each reads the lines that are whole, the oldest first.
func (e *Ends) each(f func(store.End, []byte)) error {
	file, err := regular.Open(e.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxEndBytes)
	for lines.Scan() {
		var end store.End
		if json.Unmarshal(lines.Bytes(), &end) == nil && end.Token != "" {
			f(end, bytes.Clone(lines.Bytes()))
		} // else half written when the machine died
	}
	return lines.Err()
}

func (e *Ends) noteDone(end store.End) {
	if end.Done != nil {
		e.done[stream.Member(end.Key, end.Instance)] = *end.Done
	}
}

// Write persists an end. Error: it is not on the disk.
func (e *Ends) Write(end store.End, now time.Time) error {
	text, err := json.Marshal(end)
	if err != nil {
		return fmt.Errorf("end of %s/%s: %w", end.Key, end.Instance, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lines >= maxEnds {
		if err := e.rewrite(now); err != nil {
			e.log.Warn().Err(err).Msg("the ends are not rewritten without the old ones; the file grows")
		}
	}
	if e.torn {
		text = append([]byte{'\n'}, text...) // or it would be read as one with what is left of the last
	}
	_, err = e.file.Write(append(text, '\n'))
	if err = errors.Join(err, e.file.Sync()); err != nil {
		e.torn = true
		return fmt.Errorf("end of %s/%s: %w", end.Key, end.Instance, err)
	}
	e.torn = false
	e.lines++
	e.noteDone(end)
	return nil
}

// Done is how a job ended that is done, if that was here and is remembered.
func (e *Ends) Done(key, instance string) (store.Done, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	done, ok := e.done[stream.Member(key, instance)]
	return done, ok
}

// All are the ends that are remembered, the oldest first.
func (e *Ends) All() ([]store.End, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []store.End
	if e.lines == 0 {
		return nil, nil
	}
	err := e.each(func(end store.End, _ []byte) { all = append(all, end) })
	return all, err
}

// Close ends the writing.
func (e *Ends) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.file.Close()
}
