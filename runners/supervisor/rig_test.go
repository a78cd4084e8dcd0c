package supervisor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"stream-api/internal/confine"
)

// The test binary is also the supervisor, and every child that a shell cannot be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(Main(os.Args[2:]))
	}
	if role := os.Getenv("TEST_MAIN"); role != "" {
		os.Exit(playRole(role))
	}
	// These tests wait much and work little: for deadlines, and under the race detector for the second that each process
	// takes to exit.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// playRole is what a child does instead of tests.
func playRole(role string) int {
	switch role {
	case "daemonise": // double fork, as daemons do, then stay as the parent
		if err := again("daemon-middle").Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		select {}
	case "daemonise-and-exit": // with a daemon that is up and not the one of the last time
		note := filepath.Join(os.Getenv("NOTES"), "daemon")
		_ = os.Remove(note)
		defer func() {
			for _, err := os.Stat(note); err != nil; _, err = os.Stat(note) {
				time.Sleep(time.Millisecond) // a child's own waiting, not a test's
			}
		}()
		if err := again("daemon-middle").Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 3
	case "daemon-middle":
		if err := again("daemon").Start(); err != nil {
			return 1
		}
		return 0
	case "daemon": // own session, no terminal, no files, deaf
		signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGPIPE)
		writePID("daemon")
		if err := unix.CloseRange(0, 2, 0); err != nil {
			return 1
		}
		select {}
	case "runner": // starts a supervisor, feeds it, and is killed or frozen by the test
		return playRunner()
	}
	fmt.Fprintf(os.Stderr, "no role %q\n", role)
	return 2
}

// again starts this binary in a session of its own, with nothing in its environment but what it needs.
func again(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TEST_MAIN=" + role, "NOTES=" + os.Getenv("NOTES")}
	if os.Getenv("KEEP_MARK") != "" {
		cmd.Env = append(cmd.Env, "KEEP_MARK=1", EnvVars+"="+os.Getenv(EnvVars))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// writePID notes this process in NOTES/name.
func writePID(name string) {
	path := filepath.Join(os.Getenv("NOTES"), name)
	if err := os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err == nil {
		_ = os.Rename(path+".new", path)
	}
}

func playRunner() int {
	spec := Spec{
		Dir: os.Getenv("SLOT"), Stream: "s1", Instance: "transcode", Token: "7-runner",
		Exec: Exec{
			Path: "/bin/sh", Args: []string{"-c", "echo $$ > \"$NOTES/child\"; exec sleep 1000"},
			Env:   []string{"NOTES=" + os.Getenv("NOTES"), "PATH=" + os.Getenv("PATH")},
			Rules: Rules{Stop: Stop{Signal: "TERM"}, Restart: Restart{Delay: time.Second, MaxDelay: time.Second, Within: time.Minute}},
		},
	}
	c, err := Start(context.Background(), "/proc/self/exe", spec, testHello)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	trust, err := time.ParseDuration(os.Getenv("TRUST"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := c.Go(context.Background(), Now()+int64(trust)); err != nil {
		fmt.Println(err)
		return 1
	}
	for range time.Tick(trust / 4) {
		if err := c.Feed(Now() + int64(trust)); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return 0
}

// selfExe is this test binary.
func selfExe(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// rig is one supervised child of a test.
type rig struct {
	*Client
	t     *testing.T
	dir   string
	notes string // a directory the child may write to: NOTES
	seen  []Event
}

// shell makes the child a shell script.
func shell(script string) func(*Spec) {
	return func(s *Spec) { s.Path, s.Args = "/bin/sh", []string{"-c", script} }
}

// role makes the child this binary in a role.
func role(t *testing.T, name string) func(*Spec) {
	return func(s *Spec) {
		s.Path = selfExe(t)
		s.Env = append(s.Env, "TEST_MAIN="+name)
	}
}

// slotDir makes a place for a slot's directory, short enough for a socket, and checks at the end that the supervisor said
// nothing on its stderr: neither a panic nor a data race.
func slotDir(t *testing.T) (dir, notes string) {
	t.Helper()
	root, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	dir, notes = filepath.Join(root, "slot"), filepath.Join(root, "notes")
	if err := os.Mkdir(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		text, err := os.ReadFile(filepath.Join(dir, fileErrors))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if len(text) > 0 {
			t.Errorf("the supervisor's stderr:\n%s", text)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return dir, notes
}

// testHello is what each runner of these tests says.
var testHello = Hello{Key: "the key of all tests", TTL: time.Hour}

func testSpec(dir, notes string, changes ...func(*Spec)) Spec {
	spec := Spec{
		Dir: dir, Stream: "s1", Instance: "transcode", Type: "transcode", Host: "test.example", Token: "1-test", KeyHash: testHello.hash(),
		Exec: Exec{Env: []string{"NOTES=" + notes, "PATH=" + os.Getenv("PATH")}, Confine: confine.Policy{Level: confine.Hide}, Rules: Rules{
			Restart: Restart{Delay: 20 * time.Millisecond, MaxDelay: 100 * time.Millisecond, GiveUpAfter: 1000, Within: time.Minute},
			Stop:    Stop{Signal: "TERM", Grace: 5 * time.Second},
		}},
	}
	shell("exec sleep 1000")(&spec)
	for _, change := range changes {
		change(&spec)
	}
	for _, hooks := range [][]Hook{spec.PreStart, spec.PostStop} {
		for i := range hooks {
			if hooks[i].Timeout == 0 {
				hooks[i].Timeout = 10 * time.Second
			}
		}
	}
	return spec
}

// prepare starts a supervisor without a Go.
func prepare(t *testing.T, changes ...func(*Spec)) *rig {
	t.Helper()
	dir, notes := slotDir(t)
	c, err := Start(t.Context(), selfExe(t), testSpec(dir, notes, changes...), testHello)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Client: c, t: t, dir: dir, notes: notes}
	t.Cleanup(r.end)
	return r
}

// launch starts a supervisor and its child, with half a minute to live.
func launch(t *testing.T, changes ...func(*Spec)) *rig {
	t.Helper()
	r := prepare(t, changes...)
	r.must(r.Go(t.Context(), Now()+int64(30*time.Second)))
	return r
}

// end leaves nothing running, however the test went.
func (r *rig) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = r.Client.Close()
	if c, err := Adopt(ctx, r.dir, testHello); err == nil {
		_, _ = c.End(ctx)
		_ = c.Close()
	}
	until(r.t, "the supervisor is gone", func() bool {
		live, err := Live(r.dir)
		return err == nil && !live
	})
	if err := Finish(ctx, r.dir); err != nil {
		r.t.Error(err)
	}
}

// adopt connects anew.
func (r *rig) adopt() {
	r.t.Helper()
	c, err := Adopt(r.t.Context(), r.dir, testHello)
	r.must(err)
	r.Client, r.seen = c, nil
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v%s", err, r.story())
	}
}

// story is what happened so far, for a failed test.
func (r *rig) story() string {
	var b strings.Builder
	for _, e := range r.seen {
		fmt.Fprintf(&b, "\n  %s %+v", e.Kind, e)
	}
	text, _ := os.ReadFile(filepath.Join(r.dir, fileLog))
	return b.String() + "\nlog:\n" + string(text)
}

// await reads events until one of the kind that is right comes.
func (r *rig) await(kind EventKind, right ...func(Event) bool) Event {
	r.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-r.Events():
			if !ok {
				r.t.Fatalf("no %s, the connection is over: %v%s", kind, r.Err(), r.story())
			}
			r.seen = append(r.seen, e)
			if e.Kind == kind && !slices.ContainsFunc(right, func(f func(Event) bool) bool { return !f(e) }) {
				return e
			}
		case <-limit.C:
			r.t.Fatalf("no %s within a minute%s", kind, r.story())
		}
	}
}

// saw counts the events of a kind so far.
func (r *rig) saw(kind EventKind) (n int) {
	for _, e := range r.seen {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// note reads what the child wrote to a file in its notes, waiting for a whole line.
func (r *rig) note(name string) string {
	r.t.Helper()
	defer func() {
		if r.t.Failed() {
			r.t.Log(r.story())
		}
	}()
	return awaitNote(r.t, filepath.Join(r.notes, name))
}

func awaitNote(t *testing.T, path string) string {
	t.Helper()
	var text []byte
	until(t, path+" is written", func() bool {
		var err error
		text, err = os.ReadFile(path)
		return err == nil && len(text) > 0 && text[len(text)-1] == '\n'
	})
	return strings.TrimSpace(string(text))
}

// noted reports whether the child wrote such a file.
func (r *rig) noted(name string) bool {
	_, err := os.Stat(filepath.Join(r.notes, name))
	return err == nil
}

// let creates a file the child or a hook waits for.
func (r *rig) let(name string) {
	r.t.Helper()
	r.must(os.WriteFile(filepath.Join(r.notes, name), nil, 0o600))
}

// process reads a pid from a note and takes down who that is.
func (r *rig) process(name string) Process {
	r.t.Helper()
	return processOf(r.t, r.note(name))
}

func processOf(t *testing.T, pid string) Process {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	s, err := readStat(n)
	if err != nil {
		t.Fatal(err)
	}
	return s.id()
}

// freeze stops the supervisor's process and waits until it stands.
func (r *rig) freeze() {
	r.t.Helper()
	r.must(r.State().Supervisor.signal(unix.SIGSTOP))
	until(r.t, "the supervisor stands still", func() bool {
		s, err := readStat(r.State().Supervisor.PID)
		return err == nil && s.state == 'T'
	})
}

// until polls a condition for which nothing sends a signal.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// ms converts to nanoseconds of Now's clock.
func ms(n int64) int64 { return n * int64(time.Millisecond) }

// Status asks for the present state.
func (c *Client) Status(ctx context.Context) (State, error) {
	r, err := c.ask(ctx, request{Op: opStatus})
	if err != nil {
		return State{}, err
	}
	if r.State == nil {
		return State{}, errors.New("status: the supervisor sent none")
	}
	return *r.State, nil
}
