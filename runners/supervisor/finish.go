package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/orphans"
)

// Finish does what a killed supervisor could not: it ends what is left of the tree, runs post_stop if anything was started
// since that last ran, and writes the end into the state. It does nothing for one that ended properly, and gives ErrLive
// for one that lives. The hooks run in this process's own tree, one after another, each within its timeout; their failing
// is reported but does not stop the end from being written.
func Finish(ctx context.Context, dir string) error {
	f, err := awaitGone(ctx, dir)
	if err != nil {
		return err
	}
	if f.Ended() {
		return nil
	}
	if err := killLeftovers(ctx, f); err != nil {
		return err
	}
	if f.StateErr != nil {
		if errors.Is(f.StateErr, os.ErrNotExist) {
			return nil // it was killed before it could have started anything
		}
		return f.StateErr
	}
	var errs []error
	if f.State.Dirty && f.SpecErr != nil {
		errs = append(errs, fmt.Errorf("post_stop cannot run: %w", f.SpecErr))
	}
	if f.State.Dirty && f.SpecErr == nil {
		for _, h := range f.Spec.PostStop {
			errs = append(errs, runHook(ctx, f.Spec, h))
		}
	}
	f.State.Phase, f.State.Child, f.State.Dirty = PhaseEnded, Process{}, false
	f.State.End = &End{Reason: EndLost, Text: "the supervisor was killed", At: time.Now()}
	if f.State.Done() != nil {
		f.State.End.Reason = EndDone
	}
	errs = append(errs, writeJSON(filepath.Join(dir, fileState), f.State))
	errs = append(errs, removeEnviron(environPath(dir)))
	if f.SpecErr == nil {
		errs = append(errs, writeJSON(filepath.Join(dir, fileSpec), f.Spec.without()))
	}
	return errors.Join(errs...)
}

// runHook runs one post_stop hook without a supervisor.
func runHook(ctx context.Context, spec Spec, h Hook) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	path, err := lookPath(h.Argv[0], spec.Env)
	if err != nil {
		return fmt.Errorf("post_stop: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, h.Argv[1:]...)
	cmd.Dir = filepath.Join(spec.Dir, dirWork)
	cmd.Env = spec.environ(EnvExit + "=" + EndLost)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) } // not waited for yet, so the group is its own
	cmd.WaitDelay = time.Second
	done := func(err error) error { return err }
	if spec.Confine.Confines() {
		passage, err := spec.policy().Passage(spec.mine()...)
		if err != nil {
			return fmt.Errorf("post_stop %s: %w", h.Argv[0], err)
		}
		done = passage.Wrap(cmd)
	}
	if err := done(orphans.Run(cmd)); err != nil {
		return fmt.Errorf("post_stop %s: %w", h.Argv[0], cmp.Or(spec.hidden(path, err), err))
	}
	return nil
}
