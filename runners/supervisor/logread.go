package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
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
			l = LogLine{Mark: MarkSelf, Text: printable(text)} // not ours, or half of it lost with the disk
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

// logReader reads a file that grows and is at times moved aside for a new one.
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
			f, err := os.Open(r.path)
			if err != nil {
				return lines, err
			}
			r.file = f
		}
		// Who was moved aside gets no more lines, so it is looked for before reading to the end.
		moved := r.moved()
		more, err := r.read()
		lines = append(lines, more...)
		if err != nil || !moved {
			return lines, err
		}
		r.close()
	}
}

func (r *logReader) moved() bool {
	mine, err := r.file.Stat()
	if err != nil {
		return false
	}
	present, err := os.Stat(r.path)
	return err == nil && !os.SameFile(mine, present)
}

func (r *logReader) read() ([]string, error) {
	var lines []string
	in := bufio.NewReader(r.file)
	for {
		text, err := in.ReadString('\n')
		r.held.WriteString(strings.TrimSuffix(text, "\n"))
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return lines, err
		}
		lines = append(lines, r.held.String())
		r.held.Reset()
	}
}

func (r *logReader) close() {
	if r.file != nil {
		_ = r.file.Close() // read only
		r.file = nil
	}
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines, nil
}
