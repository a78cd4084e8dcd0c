package sources

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"stream-api/internal/confine"
	"stream-api/internal/orphans"
	"stream-api/program"
	"stream-api/stream"
)

// command runs a program at each poll; what it prints is what is live. It gets
// PATH HOME LANG TZ of this process, STREAM_API_SOURCE and env, nothing else.
// Exit code 0 and readable output are a good poll, an empty output says that
// nothing is live, and everything else is unknown.
type command struct {
	name    string
	argv    []string
	env     []string
	timeout time.Duration
	limit   int64
	confine confine.Policy
}

// pollMark is in the environment of a command and all it starts, and nowhere
// else, so that its whole tree can be ended at the deadline.
const pollMark = "STREAM_API_POLL="

func (c *command) close() {}

func (c *command) list(ctx context.Context) (listing, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	mark := pollMark + rand.Text()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env = append(program.Inherited(), "STREAM_API_SOURCE="+c.name)
	cmd.Env = append(append(cmd.Env, c.env...), mark)
	stdout := &capped{limit: int(c.limit), over: func() { stop(errTooLarge(c.limit)) }}
	stderr := &lastLine{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return endTree(cmd.Process, mark) }
	cmd.WaitDelay = 2 * time.Second

	// The kernel ties Pdeathsig to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path := cmd.Path
	done := func(err error) error { return err }
	if c.confine.Confines() {
		cmd.Env = append(cmd.Env, confine.Env+"="+string(c.confine.Level))
		passage, err := c.confine.Passage()
		if err != nil {
			return listing{}, fmt.Errorf("%s: %w", c.argv[0], err)
		}
		done = passage.Wrap(cmd)
	}
	err := done(orphans.Run(cmd))
	if cmd.Process != nil && syscall.Kill(-cmd.Process.Pid, 0) == nil {
		// Something it left in the background would pile up poll by poll.
		if endErr := endMarked(mark); endErr != nil && err == nil {
			err = endErr
		}
	}
	if err = c.explain(ctx, err, path, stderr.String()); err != nil {
		return listing{}, err
	}
	return parsed(stdout.buf.Bytes(), "", parseExec)
}

// errTimeout is why a look at a source ends at its deadline. Whoever sets a
// deadline around it gives this cause: theirs is over first.
var errTimeout = errors.New("time-out")

func (c *command) explain(ctx context.Context, err error, path, stderr string) error {
	var exit *exec.ExitError
	last := ""
	if stderr != "" {
		last = ", saying " + stream.Quote(stderr)
	}
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case errors.Is(cause, errTimeout):
		return fmt.Errorf("%s did not end within %v and was killed%s: make it faster, or timeout longer", c.argv[0], c.timeout, last)
	case cause != nil:
		return fmt.Errorf("%s: %w", c.argv[0], cause)
	case errors.Is(err, exec.ErrWaitDelay):
		return fmt.Errorf("%s ended but left a process behind that holds its output", c.argv[0])
	case errors.As(err, &exit):
		return fmt.Errorf("%s failed: %v%s", c.argv[0], exit, last)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s cannot be run: %w", c.argv[0], err)
	}
	for _, file := range []string{path, program.Interpreter(path)} {
		if place := c.confine.Hiding(file); place != "" && errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%s cannot be run: it lies where confine hides the host's own files (%s); put it elsewhere, or write confine: none for this source", file, place)
		}
	}
	return fmt.Errorf("cannot be run: %w", program.Explain(path, err))
}

// capped keeps an output up to its limit and calls over at more. The buffer is
// not embedded: its ReadFrom would pass the limit by.
type capped struct {
	buf   bytes.Buffer
	limit int
	over  func()
}

func (w *capped) Write(p []byte) (int, error) {
	if w.buf.Len()+len(p) > w.limit {
		w.over()
		return 0, errors.New("too much output")
	}
	return w.buf.Write(p)
}

// lastLine keeps the last bytes of a text, enough for its last line.
type lastLine struct{ tail []byte }

func (w *lastLine) Write(p []byte) (int, error) {
	w.tail = append(w.tail, p[max(0, len(p)-256):]...)
	w.tail = w.tail[max(0, len(w.tail)-256):]
	return len(p), nil
}

func (w *lastLine) String() string {
	text := strings.TrimSpace(string(w.tail))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// maxLine bounds one line of output, in bytes.
const maxLine = 64 << 10

// parseExec reads one key or one JSON object a line: {"key":"s1","lang":"de"}.
// Of an object's members session and bytes are what they say (see
// stream.Mount), every other one is a variable. A line that is neither makes
// the whole output worthless: it may be an error message.
func parseExec(out []byte, _ string) (listing, error) {
	var l listing
	number := 0
	for line := range bytes.Lines(out) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		m, err := parseExecLine(line)
		if err != nil {
			return listing{}, fmt.Errorf("line %d: %w", number, err)
		}
		if err := l.add(m); err != nil {
			return listing{}, err
		}
	}
	return l.complete()
}

func parseExecLine(line []byte) (stream.Mount, error) {
	m := stream.Mount{Bytes: -1}
	shown := stream.Quote(string(line[:min(len(line), 60)]))
	switch {
	case len(line) > maxLine:
		return m, fmt.Errorf("%s… has %d bytes: %d at most", shown, len(line), maxLine)
	case line[0] != '{':
		if bytes.ContainsAny(line, " \t\x00") || !utf8.Valid(line) {
			return m, fmt.Errorf("%s is neither a key nor a JSON object", shown)
		}
		m.Key = string(line)
		return m, nil
	case !json.Valid(line):
		return m, fmt.Errorf("%s is no JSON object", shown)
	}
	m.Vars = make(map[string]string)
	s := jsonScanner{b: line}
	err := s.object(func(name []byte) error {
		if c := s.peek(); c == '{' || c == '[' {
			return fmt.Errorf("%s: %s is not a plain value", shown, stream.Quote(string(name)))
		}
		text, err := s.text()
		switch name := unescape(name); name {
		case "key":
			m.Key = text
		case "session":
			m.Session = cleanFact(text)
		case "bytes":
			m.Bytes = wholeNumber(text)
		default:
			m.Vars[name] = text
		}
		return err
	})
	if err == nil && m.Key == "" {
		err = fmt.Errorf("%s has no key", shown)
	}
	return m, err
}
