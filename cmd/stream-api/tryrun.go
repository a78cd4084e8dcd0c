package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine"
	"stream-api/internal/regular"
	"stream-api/program"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
)

// stage is the directory of one trial, with what a supervisor would put there.
type stage struct {
	dir      string
	confine  confine.Policy
	progress net.Listener
}

// runTrial runs pre_start, the program and post_stop to their ends.
func runTrial(ctx context.Context, t plan.Trial) (err error) {
	// The kernel ties the child's life to the thread that forked it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := setStage()
	if err != nil {
		return err
	}
	s.confine = t.Confine
	defer func() { err = errors.Join(err, s.strike()) }()
	env := append(t.Env, supervisor.EnvVars+"="+s.vars(), supervisor.EnvProgress+"=unix:"+s.socket())
	if t.Confine.Confines() {
		env = append(env, confine.Env+"="+string(t.Confine.Level))
	}
	values, err := supervisor.WriteEnviron(s.dir, env)
	if err != nil {
		return err
	}
	env = append(env, supervisor.EnvEnv+"="+values)
	end, reason := error(nil), "exited"
	for _, h := range t.PreStart {
		if end = s.hook(ctx, h, env); end != nil {
			end, reason = fmt.Errorf("pre_start: %w", end), "pre_start"
			break
		}
	}
	if end == nil {
		end = s.program(ctx, t, env)
	}
	for _, h := range t.PostStop {
		// It runs after every end, an interrupted one included.
		if err := s.hook(context.WithoutCancel(ctx), h, append(env, supervisor.EnvExit+"="+reason)); err != nil {
			say("stream-api: post_stop: %v", err)
		}
	}
	return errors.Join(s.told(), end)
}

func setStage() (*stage, error) {
	dir, err := os.MkdirTemp("", "stream-api-try-")
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir}
	if err = os.Mkdir(s.work(), 0o700); err == nil {
		err = os.WriteFile(s.vars(), nil, 0o600)
	}
	if err == nil {
		s.progress, err = net.Listen("unix", s.socket())
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go s.swallow()
	return s, nil
}

func (s *stage) work() string   { return filepath.Join(s.dir, "work") }
func (s *stage) vars() string   { return filepath.Join(s.dir, "vars") }
func (s *stage) socket() string { return filepath.Join(s.dir, "progress") }

// swallow takes ffmpeg's progress, without which it would not start; its own
// output shows the same. It ends with the stage.
func (s *stage) swallow() {
	for {
		c, err := s.progress.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close() // only read from
		}()
	}
}

func (s *stage) strike() error { return errors.Join(s.progress.Close(), os.RemoveAll(s.dir)) }

// told prints what the program published.
func (s *stage) told() error {
	text, err := regular.Read(s.vars(), 1<<20)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		say("published  %s", strings.TrimSuffix(line, "\n"))
	}
	return nil
}

// command is a child as a supervisor starts it: its own group, no input, and
// the whole of its environment given.
func (s *stage) command(argv, env []string) (*exec.Cmd, error) {
	path, err := supervisor.LookPath(argv[0], env)
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	return &exec.Cmd{
		Path: path, Args: argv, Env: env, Dir: s.work(), Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}, nil
}

func (s *stage) hook(ctx context.Context, h supervisor.Hook, env []string) error {
	c, err := s.command(h.Argv, env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("not done within %v", h.Timeout))
	defer cancel()
	if err := s.finish(ctx, c, unix.SIGKILL, 0); err != nil {
		// Its exit code is not the program's, which would be ours.
		return exitError{code: exitFailed, err: fmt.Errorf("%s: %w", h.Argv[0], errors.Join(err, context.Cause(ctx)))}
	}
	return nil
}

// program runs the program itself; its exit code becomes ours.
func (s *stage) program(ctx context.Context, t plan.Trial, env []string) error {
	c, err := s.command(append([]string{t.Path}, t.Args...), env)
	if err != nil {
		return err
	}
	err = s.finish(ctx, c, unix.SignalNum("SIG"+t.Stop.Signal), t.Stop.Grace)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	say("stream-api: %s: %v", t.Path, exit)
	return exitError{code: code, err: silentError{exit}}
}

// finish runs c to its end; when ctx is over it is stopped by sig, and by KILL
// after the grace, with its whole group.
func (s *stage) finish(ctx context.Context, c *exec.Cmd, sig syscall.Signal, grace time.Duration) error {
	path, begun := c.Path, func(err error) error { return err }
	if s.confine.Confines() {
		passage, err := s.confine.Passage(s.dir)
		if err != nil {
			return fmt.Errorf("cannot start: %w", err)
		}
		begun = passage.Wrap(c)
	}
	if err := begun(c.Start()); err != nil {
		if c.Process != nil {
			_ = c.Wait() // its step, which has said why
		}
		if place := cmp.Or(s.confine.Hiding(path, s.dir), s.confine.Hiding(program.Interpreter(path), s.dir)); place != "" {
			return fmt.Errorf("cannot start: %s lies where confine hides the host's own files (%s)", path, place)
		}
		return fmt.Errorf("cannot start: %w", program.Explain(path, err))
	}
	// Its end leaves nothing of its group behind.
	defer func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = syscall.Kill(-c.Process.Pid, sig) // it may have ended by itself just now
	select {
	case err := <-ended:
		return err
	case <-time.After(grace):
	}
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	return <-ended
}
