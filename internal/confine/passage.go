package confine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine/step"
)

// Command is the second word of the step's command line.
const Command = step.Command

// Comm is the name that the kernel knows a process by before it is the program.
const Comm = step.Comm

// ErrStillborn: the process was killed before it was the program.
var ErrStillborn = errors.New("killed at birth")

// Passage is the start of one program under a policy. It is of use once.
type Passage struct {
	ruleset *os.File // nil: no_new_privs alone
	tell    *os.File // the step's end of the pipe
	told    *os.File
	closed  []string
	rules   int
}

// Passage makes one. mine are files and directories that are the child's own wherever they lie. Error: the kernel cannot do
// what the policy requires, or could do it and failed.
func (p Policy) Passage(mine ...string) (_ *Passage, err error) {
	k := Ask()
	if p.Require && !k.Holds() {
		return nil, fmt.Errorf("confine: it is required, and here %s; take require away, or have the service elsewhere", strings.Join(k.Lacks(), ", and "))
	}
	w := &Passage{}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.told, w.tell, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("confine: %w", err)
	}
	if k.ABI < abiFiles {
		return w, nil
	}
	if err := w.rule(k, p.plan(mine)); err != nil {
		return nil, fmt.Errorf("confine: %w", err)
	}
	return w, nil
}

func (w *Passage) rule(k Kernel, plan *node) error {
	attr := k.attributes()
	ruleset, err := newRuleset(&attr)
	if err != nil {
		return fmt.Errorf("landlock_create_ruleset: %w", err)
	}
	w.ruleset = os.NewFile(uintptr(ruleset), "ruleset") // close-on-exec by birth
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /: %w", err)
	}
	defer func() { _ = unix.Close(root) }() // opened for its place alone
	walker := walker{ruleset: ruleset, handled: attr.Handled_access_fs}
	err = walker.walk(root, "/", plan, false)
	w.closed, w.rules = walker.closed, walker.rules
	return err
}

// Closed are directories beside hidden places that could not be listed: nothing in them can be reached by the child.
func (w *Passage) Closed() []string { return w.closed }

// Command is what to start in place of the program at path with its whole command line: the file, its command line, and what it
// must find open from 3 on.
func (w *Passage) Command(path string, argv []string) (self string, line []string, open []*os.File) {
	open = []*os.File{w.tell}
	kind := step.Bare
	if w.ruleset != nil {
		open, kind = append(open, w.ruleset), step.Ruled
	}
	return "/proc/self/exe", append([]string{step.Name, step.Command, kind, path}, argv...), open
}

// Await returns, after the start, when the program runs, with nil, or will not: ErrStillborn, the syscall.Errno with which the
// kernel refused it, or why it could not be confined. It closes the passage.
func (w *Passage) Await() error {
	_ = w.tell.Close() // ours; the step has its own
	w.tell = nil
	defer w.Close()
	text, err := io.ReadAll(io.LimitReader(w.told, 4096))
	switch {
	case err != nil:
		return fmt.Errorf("confine: %w", err)
	case len(text) == 0:
		return ErrStillborn
	case text[0] != step.Trying:
		return fmt.Errorf("confine: %s", bytes.TrimPrefix(text, []byte{step.Broken}))
	case len(text) == 1:
		return nil
	}
	number, err := strconv.Atoi(string(bytes.TrimPrefix(text[1:], []byte{step.Failed})))
	if err != nil {
		return fmt.Errorf("confine: its step said %q", text)
	}
	return syscall.Errno(number)
}

// Close gives up a passage; a second call does nothing.
func (w *Passage) Close() {
	for _, f := range []*os.File{w.ruleset, w.tell, w.told} {
		if f != nil {
			_ = f.Close() // nothing was written that could be lost
		}
	}
}
