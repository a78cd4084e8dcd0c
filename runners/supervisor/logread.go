package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stream-api/internal/legible"
	"stream-api/internal/regular"
)

// LogLine is one line of a slot's log.
type LogLine struct {
	At   time.Time `json:"at"`
	Mark string    `json:"mark"` // one of the Mark constants
	Text string    `json:"text"` // masked, without control characters
}

// ReadLog gives the last tail lines of the log in dir to line, all of them if tail is negative, and with follow those
// that come after, until ctx is done or the supervisor is gone. It works beside a living supervisor and after its end, and
// returns the first error of line. A slot that never logged gives fs.ErrNotExist; followed, if its supervisor is gone, or
// has not begun yet.
func ReadLog(ctx context.Context, dir string, tail int, follow bool, line func(LogLine) error) error {
	path := filepath.Join(dir, fileLog)
	r := &logReader{path: path}
	defer r.close()
	old, err := readLines(path + ".1")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines, err := r.rest()
	if err != nil && (!follow || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	begun := err == nil
	lines = append(old, lines...)
	if tail >= 0 {
		lines = lines[max(0, len(lines)-tail):]
	}
	if err := give(lines, line); err != nil || !follow {
		return err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		live, err := Live(dir) // asked first: what it wrote before it went is then read below
		if err != nil {
			return err
		}
		lines, err := r.rest()
		begun = begun || err == nil
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || !live && !begun) {
			return err
		}
		if err := give(lines, line); err != nil || !live {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func give(lines []string, line func(LogLine) error) error {
	for _, text := range lines {
		l, err := parseLogLine(text)
		if err != nil {
			l = LogLine{Mark: MarkSelf, Text: legible.Line(text)} // not ours, or half of it lost with the disk
		}
		if err := line(l); err != nil {
			return err
		}
	}
	return nil
}

func parseLogLine(text string) (LogLine, error) {
	at, rest, ok := strings.Cut(text, " ")
	mark, rest, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return LogLine{}, fmt.Errorf("log line %q: no time and mark", text)
	}
	t, err := time.Parse(logTime, at)
	if err != nil {
		return LogLine{}, fmt.Errorf("log line: %w", err)
	}
	return LogLine{At: t, Mark: mark, Text: rest}, nil
}

// maxLogRead bounds what is read of a log at once. No log of ours is larger; what is, was put there by somebody else.
const maxLogRead = 16 << 20

// logReader reads a file that grows and is at times moved aside for a new one. Each question to the file system is given
// up after a while, so that no reader is held by one that does not answer.
type logReader struct {
	path string
	file *os.File
	held strings.Builder // of a line not ended yet
}

// rest returns the whole lines that were not returned yet.
func (r *logReader) rest() ([]string, error) {
	var lines []string
	for {
		if r.file == nil {
			f, err := openLog(r.path)
			if err != nil {
				return lines, err
			}
			r.file = f
		}
		// Who was moved aside gets no more lines, so it is looked for before reading to the end.
		moved, err := movedAside(r.file, r.path)
		if err != nil {
			return lines, err
		}
		text, err := readLog(r.file, r.path)
		lines = append(lines, r.split(text)...)
		if err != nil || !moved {
			return lines, err
		}
		r.close()
	}
}

func openLog(path string) (*os.File, error) {
	return regular.Within(filePatience, path, func() (*os.File, error) { return regular.Open(path, os.O_RDONLY, 0) },
		func(f *os.File) { _ = f.Close() }) // read only
}

func movedAside(f *os.File, path string) (bool, error) {
	return regular.Within(filePatience, path, func() (bool, error) {
		mine, err := f.Stat()
		if err != nil {
			return false, err
		}
		present, err := os.Lstat(path)
		return err == nil && !os.SameFile(mine, present), nil
	}, nil)
}

// readLog reads what has come to f since the last time.
func readLog(f *os.File, path string) ([]byte, error) {
	return regular.Within(filePatience, path, func() ([]byte, error) {
		text, err := io.ReadAll(io.LimitReader(f, maxLogRead+1))
		if err == nil && len(text) > maxLogRead {
			return nil, fmt.Errorf("%s is larger than any log: %w", path, regular.ErrOdd)
		}
		return text, err
	}, nil)
}

// split returns the lines that text ends, and holds what is left.
func (r *logReader) split(text []byte) []string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		r.held.WriteString(strings.TrimSuffix(line, "\n"))
		if strings.HasSuffix(line, "\n") {
			lines = append(lines, r.held.String())
			r.held.Reset()
		}
	}
	return lines
}

func (r *logReader) close() {
	if r.file != nil {
		_ = r.file.Close() // read only
		r.file = nil
	}
}

// readLines reads the lines of a log that gets no more.
func readLines(path string) ([]string, error) {
	r := logReader{path: path}
	defer r.close()
	f, err := openLog(path)
	if err != nil {
		return nil, err
	}
	r.file = f
	text, err := readLog(f, path)
	if err != nil {
		return nil, err
	}
	lines := r.split(text)
	if r.held.Len() > 0 {
		lines = append(lines, r.held.String())
	}
	return lines, nil
}
