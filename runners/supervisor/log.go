package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"stream-api/internal/legible"
	"stream-api/internal/regular"
)

// Marks of log lines: where a line came from.
const (
	MarkOut  = "out" // the child's stdout
	MarkErr  = "err" // the child's stderr
	MarkHook = "hook"
	MarkSelf = "sup" // the supervisor's own remarks
)

const (
	logTime   = "2006-01-02T15:04:05.000Z07:00" // in UTC
	logBuffer = 256 << 10
	logPause  = 50 * time.Millisecond
	tailLines = 5
	tailWidth = 300
)

// journal is the log of one slot: Dir/log and the older Dir/log.1. Writers never wait for the disk. What comes faster
// than it can be written, 256 KiB in 50 ms, or while the disk stands still, is left out and counted: work on air must
// not stop for its log.
type journal struct {
	path string
	max  int64 // of both files together
	now  func() time.Time
	warn func(format string, a ...any) // told of the first of several failures in a row

	mu      sync.Mutex
	mask    *masker
	secrets []string // that it masks
	buffer  []byte
	dropped int
	tail    []string // last stderr lines of the child

	more     chan struct{} // holds one
	stop     chan struct{}
	finished chan struct{}

	file   *os.File // of the writer alone
	size   int64
	failed bool
}

// logMax is how many bytes log and log.1 have together.
const logMax = 1 << 20

func newJournal(dir string, maxBytes int64, secrets []string, warn func(string, ...any)) *journal {
	return &journal{
		path: filepath.Join(dir, fileLog), max: maxBytes, now: time.Now, warn: warn, mask: newMasker(secrets), secrets: secrets,
		more: make(chan struct{}, 1), stop: make(chan struct{}), finished: make(chan struct{}),
	}
}

// setMask takes the secrets of another environment.
func (j *journal) setMask(secrets []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.secrets, j.mask = secrets, newMasker(secrets)
}

// addMask takes secrets that there are besides.
func (j *journal) addMask(secrets []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(j.secrets, secrets))))
	j.secrets, j.mask = all, newMasker(all)
}

// line takes one line of the child or of a hook.
func (j *journal) line(mark string, text []byte, cut bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	clean := j.mask.clean(text, cut)
	if mark == MarkErr {
		if len(j.tail) == tailLines {
			j.tail = append(j.tail[:0], j.tail[1:]...)
		}
		j.tail = append(j.tail, legible.Cut(clean, tailWidth))
	}
	j.add(mark, clean)
}

// piece takes what came of a line that does not end.
func (j *journal) piece(mark string, text []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(mark, j.mask.piece(text))
}

// say logs a remark of the supervisor's own.
func (j *journal) say(format string, a ...any) {
	j.line(MarkSelf, fmt.Appendf(nil, format, a...), false)
}

// clean masks a text that goes elsewhere than to the log.
func (j *journal) clean(text string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mask.clean([]byte(text), false)
}

// room is how much of a line a cutter must hold.
func (j *journal) room() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mask.room()
}

// lastErrors returns the child's last stderr lines, and forgets them.
func (j *journal) lastErrors() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	tail := j.tail
	j.tail = nil
	return tail
}

func (j *journal) add(mark, text string) {
	need := len(logTime) + len(mark) + len(text) + 3
	if len(j.buffer)+need > logBuffer {
		j.dropped++
		return
	}
	if j.dropped > 0 {
		left := fmt.Sprintf("%d lines left out here: they came faster than they could be written", j.dropped)
		j.dropped = 0
		j.add(MarkSelf, left)
	}
	j.buffer = j.now().UTC().AppendFormat(j.buffer, logTime)
	j.buffer = append(append(append(append(append(j.buffer, ' '), mark...), ' '), text...), '\n')
	select {
	case j.more <- struct{}{}:
	default:
	}
}

// run writes until close is called.
func (j *journal) run() {
	defer close(j.finished)
	var spare []byte
	for last := false; ; {
		select {
		case <-j.more:
		case <-j.stop:
			last = true
		}
		j.mu.Lock()
		batch := j.buffer
		j.buffer = spare[:0]
		j.mu.Unlock()
		j.write(batch)
		spare = batch
		if cap(spare) > 16<<10 {
			spare = nil // a burst is rare; its memory is not kept for the next one
		}
		if last {
			return
		}
		pause := time.NewTimer(logPause)
		select {
		case <-pause.C:
		case <-j.stop:
		}
		pause.Stop()
	}
}

// close writes what is there; a disk that stands still is not waited for longer than patience.
func (j *journal) close(patience time.Duration) {
	close(j.stop)
	pause := time.NewTimer(patience)
	defer pause.Stop()
	select {
	case <-j.finished:
	case <-pause.C:
	}
}

func (j *journal) write(batch []byte) {
	for len(batch) > 0 {
		n, err := j.writeSome(batch)
		if err != nil {
			if !j.failed {
				j.failed = true
				j.warn("log: %v", err)
			}
			return // lost; the next batch tries anew
		}
		batch = batch[n:]
	}
	j.failed = false
}

// writeSome appends the lines of batch that fit into the file, or else begins a new file, and returns how much it took.
func (j *journal) writeSome(batch []byte) (int, error) {
	if j.file == nil {
		f, err := regular.Open(j.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return 0, err
		}
		info, err := f.Stat()
		if err != nil {
			return 0, errors.Join(err, f.Close())
		}
		j.file, j.size = f, info.Size()
	}
	n := fitting(batch, j.max/2-j.size)
	if n == 0 && j.size > 0 {
		err := errors.Join(j.file.Close(), os.Rename(j.path, j.path+".1"))
		j.file, j.size = nil, 0
		return 0, err
	}
	if n == 0 {
		n = len(batch) // one line longer than a whole file: cannot be with max ≥ 16 KiB, and must not loop
	}
	n, err := j.file.Write(batch[:n])
	j.size += int64(n)
	return n, err
}

// fitting returns the length of the whole lines at the head of batch that fit into room bytes.
func fitting(batch []byte, room int64) int {
	if int64(len(batch)) <= room {
		return len(batch)
	}
	return bytes.LastIndexByte(batch[:max(room, 0)], '\n') + 1
}
