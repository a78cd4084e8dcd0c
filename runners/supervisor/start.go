package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"stream-api/internal/orphans"
	"stream-api/internal/regular"
)

// Start makes spec's directory, starts a supervisor for it from the program at selfPath (which must hand the arguments
// after Command to Main) or, if that cannot be started, from the running one, and connects. The child itself starts with Go. Whatever fails leaves no process behind; the
// directory stays for Remove.
func Start(ctx context.Context, selfPath string, spec Spec, hello Hello) (*Client, error) {
	spec.KeyHash = hello.hash()
	if err := spec.complete(); err != nil {
		return nil, err
	}
	if err := makeDir(spec); err != nil {
		return nil, fmt.Errorf("directory of %s/%s: %w", spec.Stream, spec.Instance, err)
	}
	proc, err := spawnSupervisor(ctx, selfPath, spec.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the supervisor of %s/%s: %w", spec.Stream, spec.Instance, err), Finish(context.WithoutCancel(ctx), spec.Dir))
	}
	c, err := dial(ctx, spec.Dir, hello)
	if err != nil {
		// It has no Go, and so no child; but it may have made a cgroup.
		return nil, errors.Join(fmt.Errorf("reach the supervisor of %s/%s: %w", spec.Stream, spec.Instance, err),
			discard(proc), Finish(context.WithoutCancel(ctx), spec.Dir))
	}
	orphans.Forget(proc.Pid)
	_ = proc.Release() // only forgets: from here on it is known by pid and start time, as an adopted one is
	return c, nil
}

func makeDir(spec Spec) error {
	if err := os.MkdirAll(filepath.Dir(spec.Dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(spec.Dir, 0o700); err != nil {
		if !errors.Is(err, os.ErrExist) {
			return err
		}
		entries, readErr := os.ReadDir(spec.Dir)
		if readErr != nil {
			return readErr
		}
		if len(entries) > 0 {
			return fmt.Errorf("%s is not empty: another slot's, or not removed", spec.Dir)
		}
		if err := os.Chmod(spec.Dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(spec.Dir, dirWork), 0o700); err != nil {
		return err
	}
	return writeJSON(filepath.Join(spec.Dir, fileSpec), spec)
}

// spawnSupervisor returns when the supervisor listens.
func spawnSupervisor(ctx context.Context, selfPath, dir string) (*os.Process, error) {
	stderr, err := regular.Open(filepath.Join(dir, fileErrors), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stderr.Close() }() // the supervisor's now
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }() // the supervisor's now
	ready, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ready.Close() }() // read only
	attr := &os.ProcAttr{
		Dir: "/",
		// Nothing of the runner's environment: the child's is in the spec. Two processors, as one is held for as long as a
		// fork waits for its exec, which a file system that hangs can make long, and the deadline does not wait.
		Env:   []string{"GOMAXPROCS=2", "GOTRACEBACK=single", envReady + "=3"},
		Files: []*os.File{null, stderr, stderr, tell},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	proc, err := orphans.StartProcess(selfPath, []string{selfPath, Command, dir}, attr)
	if err != nil {
		// It was moved away, or is just being installed: what runs here is as good.
		proc, err = orphans.StartProcess("/proc/self/exe", []string{selfPath, Command, dir}, attr)
	}
	_ = tell.Close() // ours; the supervisor holds the other
	if err != nil {
		return nil, err
	}
	if err := awaitReady(ctx, ready); err != nil {
		if errors.Is(err, errMute) {
			err = fmt.Errorf("%w%s", err, lastWords(filepath.Join(dir, fileErrors)))
		}
		return nil, errors.Join(err, discard(proc))
	}
	return proc, nil
}

// errMute: a supervisor is gone before it could say why.
var errMute = errors.New("it ended at once")

// lastWords is the beginning of what it wrote to its stderr, on one line: of a crash that is what happened, and the rest where.
func lastWords(path string) string {
	const most = 300
	text, err := regular.Within(filePatience, path, func() ([]byte, error) { return regular.Read(path, 1<<20) }, nil)
	if err != nil {
		return "; its stderr cannot be read: " + err.Error()
	}
	said := strings.Join(strings.FieldsFunc(string(text[:min(len(text), most)]), func(r rune) bool { return r == '\n' }), "; ")
	if said == "" {
		return ", and wrote nothing to its stderr"
	}
	return ": " + said
}

func awaitReady(ctx context.Context, ready *os.File) error {
	unhook := context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) }) // fails only if closed
	defer unhook()
	text, err := io.ReadAll(io.LimitReader(ready, 4096))
	switch {
	case err != nil:
		return errors.Join(context.Cause(ctx), err)
	case string(text) == "ok":
		return nil
	case len(text) == 0:
		return errMute
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// discard ends a supervisor that had no Go.
func discard(proc *os.Process) error {
	defer orphans.Forget(proc.Pid)
	if err := proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_, err := proc.Wait()
	return err
}
