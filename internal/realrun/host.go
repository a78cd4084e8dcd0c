package realrun

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/stream"
)

// Binary builds the program once per test binary and gives its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.Do(func() {
		dir, err := os.MkdirTemp("", "stream-api-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "stream-api")
		cmd := exec.Command("go", "build", "-o", build.path, "stream-api/cmd/stream-api")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
		out, err := cmd.CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Clean removes what Binary built; call it at the end of TestMain.
func Clean() error {
	if build.path == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(build.path))
}

var build struct {
	sync.Once
	path string
	err  error
}

// Host is one `stream-api run` process.
type Host struct {
	Name     string
	StateDir string

	t      testing.TB
	under  []string
	files  []string
	env    []string
	cmd    *exec.Cmd
	done   chan struct{}
	log    *logBuffer
	binary string
}

// Start runs a host with its configuration (YAML), to which name, store and
// state directory are added as a second file. It ends with the test.
func Start(t testing.TB, name, redis, yaml string, env ...string) *Host {
	t.Helper()
	return StartUnder(t, nil, name, redis, yaml, env...)
}

// StartUnder is Start by a command that execs the arguments after its own.
func StartUnder(t testing.TB, under []string, name, redis, yaml string, env ...string) *Host {
	t.Helper()
	return start(t, under, name, redis, []string{yaml}, env)
}

// StartOf is Start of a host that has several files, in the order in which they merge.
func StartOf(t testing.TB, name, redis string, files ...string) *Host {
	t.Helper()
	return start(t, nil, name, redis, files, nil)
}

func start(t testing.TB, under []string, name, redis string, files, env []string) *Host {
	t.Helper()
	// Not t.TempDir: sockets need short paths.
	dir, err := os.MkdirTemp("", "sa-")
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Name: name, StateDir: filepath.Join(dir, "s"), t: t, under: under, env: env, log: &logBuffer{}, binary: Binary(t)}
	own := fmt.Sprintf("network: {name: %s, redis: %q}\nstate_dir: %s\nlog: {format: json, level: debug}\n", name, redis, h.StateDir)
	for i, text := range append(slices.Clone(files), own) {
		at := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.files = append(h.files, at)
	}
	t.Cleanup(func() {
		h.Kill()
		h.endChildren()
		if t.Failed() {
			t.Logf("log of host %s:\n%s", name, h.Log())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of host %s: %v", name, err)
		}
	})
	h.Again()
	return h
}

// Again starts the host's process after it ended, with the same files.
func (h *Host) Again() {
	h.t.Helper()
	argv := append(slices.Clone(h.under), h.binary, "run")
	for _, file := range h.files {
		argv = append(argv, "-c", file)
	}
	h.cmd = exec.Command(argv[0], argv[1:]...)
	h.cmd.Env = append(os.Environ(), h.env...)
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	// A test binary that dies takes its hosts with it; their supervisors end
	// by their deadlines. The death signal is bound to the thread that
	// started the host, so that thread waits for it.
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	h.cmd.WaitDelay = time.Second
	cmd, done, started := h.cmd, make(chan struct{}), make(chan error, 1)
	h.done = done
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is read from ProcessState
		}
	}()
	if err := <-started; err != nil {
		h.t.Fatalf("start host %s: %v", h.Name, err)
	}
}

// Rewrite replaces the host's configuration for the next HUP or start.
func (h *Host) Rewrite(yaml string) {
	h.t.Helper()
	if err := os.WriteFile(h.files[0], []byte(yaml), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// ConfigFile is the file that Rewrite writes.
func (h *Host) ConfigFile() string { return h.files[0] }

// OwnFile is the last file, with what is the host's alone.
func (h *Host) OwnFile() string { return h.files[len(h.files)-1] }

// Signal sends a signal to the host's process alone.
func (h *Host) Signal(sig syscall.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Fatalf("signal %v to host %s: %v", sig, h.Name, err)
	}
}

// Kill ends the host's process by SIGKILL and waits for it; its supervisors
// and children go on until their deadline.
func (h *Host) Kill() {
	h.t.Helper()
	h.Signal(syscall.SIGCONT)
	h.Signal(syscall.SIGKILL)
	<-h.done
}

// KillMachine ends the host's process, its supervisors and its children at
// once, as a power cut does.
func (h *Host) KillMachine() {
	h.t.Helper()
	h.Kill()
	h.endChildren()
}

// Wait waits for the host's process to end and gives its exit code.
func (h *Host) Wait(within time.Duration) int {
	h.t.Helper()
	select {
	case <-h.done:
		return h.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		h.t.Fatalf("host %s still runs after %v:\n%s", h.Name, within, h.Log())
		return -1
	}
}

// Ended tells whether the host's process has ended.
func (h *Host) Ended() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// PID is the host's process.
func (h *Host) PID() int { return h.cmd.Process.Pid }

// Log is what the host wrote so far.
func (h *Host) Log() string { return h.log.String() }

// endChildren kills what runs below the host's state directory: every process
// whose working directory or command line lies there.
func (h *Host) endChildren() {
	h.t.Helper()
	realtest.Await(h.t, 10*time.Second, "children of host "+h.Name+" end", func() bool {
		left := below(h.StateDir)
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				h.t.Fatalf("kill %d: %v", pid, err)
			}
		}
		return len(left) == 0
	})
}

// Supervisors are the supervisors that live below the host's state directory,
// from the moment they have their arguments.
func (h *Host) Supervisors() []int {
	var pids []int
	for _, pid := range below(h.StateDir) {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(args, []byte("supervise\x00"+h.StateDir)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// below lists the live processes that belong to a state directory.
func below(dir string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		cwd, cwdErr := os.Readlink(filepath.Join(proc, "cwd"))
		args, argsErr := os.ReadFile(filepath.Join(proc, "cmdline"))
		if cwdErr != nil && argsErr != nil {
			continue // it ended meanwhile
		}
		if strings.HasPrefix(cwd, dir) || bytes.Contains(args, []byte("supervise\x00"+dir)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Command runs the program with arguments and gives what it printed and its
// exit code.
func Command(t testing.TB, redis string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = append(os.Environ(), "STREAM_API_REDIS="+redis)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("stream-api %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// Status reads `status -o json`, the contract.
func Status(t testing.TB, redis string) stream.Status {
	t.Helper()
	out, errOut, code := Command(t, redis, "status", "-o", "json")
	if code != 0 {
		t.Fatalf("status: exit %d: %s", code, errOut)
	}
	var s stream.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("status is no JSON: %v\n%s", err, out)
	}
	return s
}

// logBuffer collects a process's output.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Event is one line of `events -o json`.
type Event struct {
	ID     string `json:"id"`
	Event  string `json:"event"`
	Stream string `json:"stream"`
	Slot   string `json:"slot"`
	Host   string `json:"host"`
	Reason string `json:"reason"`
}

// At is when it happened, in milliseconds of the store's clock.
func (e Event) At() int64 {
	ms, _, _ := strings.Cut(e.ID, "-")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return 0
	}
	return at
}

// Events reads the last n events.
func Events(t testing.TB, redis string, n int) []Event {
	t.Helper()
	out, errOut, code := Command(t, redis, "events", "-n", strconv.Itoa(n), "-o", "json")
	if code != 0 {
		t.Fatalf("events: exit %d: %s", code, errOut)
	}
	var events []Event
	for line := range strings.Lines(out) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("event is no JSON: %v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}
