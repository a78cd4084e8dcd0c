package runners_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"stream-api/internal/realtest"
	"stream-api/internal/regular"
	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// The test binary is also the supervisor, and a runner that is killed or
// frozen by a test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == supervisor.Command {
		os.Exit(supervisor.Main(os.Args[2:]))
	}
	if os.Getenv("TEST_MAIN") == "runner" {
		os.Exit(playRunner())
	}
	// These tests wait much and work little.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// The lease of the tests: short, and long enough for a life to take over from
// another on a busy machine.
const (
	ttl  = 6 * time.Second
	beat = 500 * time.Millisecond
)

// retry is for services that run nothing.
var retry = supervisor.Restart{Delay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond, Within: 10 * time.Second}

// host is a place for runners of one host name: a state directory and a
// directory that its children write their story to.
type host struct {
	w     *world
	name  string
	state string
	notes string
	log   *logBuffer
}

func (w *world) host(name string) *host {
	w.t.Helper()
	root, err := os.MkdirTemp("", "run")
	if err != nil {
		w.t.Fatal(err)
	}
	h := &host{w: w, name: name, state: filepath.Join(root, "state"), notes: filepath.Join(root, "notes"), log: &logBuffer{}}
	if err := os.Mkdir(h.notes, 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		h.endLeftovers()
		if w.t.Failed() {
			w.t.Logf("log of %s:\n%s", name, h.log.String())
		}
		if err := os.RemoveAll(root); err != nil {
			w.t.Error(err)
		}
	})
	return h
}

// endLeftovers ends what a test leaves running on purpose, and checks that
// no supervisor broke.
func (h *host) endLeftovers() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found, err := supervisor.List(filepath.Join(h.state, "s"))
	if err != nil {
		h.w.t.Error(err)
	}
	for _, f := range found {
		if c, err := supervisor.Adopt(ctx, f.Dir, helloOf(f.Dir)); err == nil {
			_, _ = c.End(ctx)
			_ = c.Close()
		} else {
			_ = supervisor.Terminate(f.Dir) // its key is lost; else it ends at its deadline
		}
		realtest.Await(h.w.t, 10*time.Second, "a supervisor lives on in "+f.Dir, func() bool {
			live, err := supervisor.Live(f.Dir)
			return err == nil && !live
		})
		if text, err := os.ReadFile(filepath.Join(f.Dir, "stderr")); err == nil && len(text) > 0 {
			h.w.t.Errorf("the supervisor's stderr:\n%s", text)
		}
	}
}

// helloOf has the key of a slot's directory, if its memo reads.
func helloOf(dir string) supervisor.Hello {
	var memo struct{ Key string }
	if text, err := regular.Read(dir+".json", 1<<20); err == nil {
		_ = json.Unmarshal(text, &memo)
	}
	return supervisor.Hello{Key: memo.Key, TTL: ttl}
}

// story is a child that notes its starts and stops.
const story = `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"
trap 'echo "stop $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 0' TERM
while :; do sleep 0.05; done`

func template(t testing.TB, text string) stream.Template {
	t.Helper()
	parsed, err := stream.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func templates(t testing.TB, texts ...string) []stream.Template {
	t.Helper()
	var out []stream.Template
	for _, text := range texts {
		out = append(out, template(t, text))
	}
	return out
}

// shell is a service that runs a shell script.
func (h *host) shell(stype, script string, changes ...func(*plan.Service)) plan.Service {
	h.w.t.Helper()
	capacity := 10
	s := plan.Service{Type: stype, Capacity: &capacity, OnSourceChange: plan.Restart, OnNewSession: plan.Ignore, Exec: &plan.Exec{
		Path: "/bin/sh",
		Args: templates(h.w.t, "-c", escape(script)),
		Env:  map[string]stream.Template{"NOTES": template(h.w.t, h.notes)},
		Rules: supervisor.Rules{
			Stop: supervisor.Stop{Signal: "TERM", Grace: 5 * time.Second},
			Restart: supervisor.Restart{
				Delay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond, GiveUpAfter: 4, Within: 10 * time.Second,
			},
		},
		Hooks: plan.Hooks{Timeout: 10 * time.Second},
	}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func (h *host) options(services ...plan.Service) runners.Options {
	h.w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.w.t.Fatal(err)
	}
	for i := range services {
		services[i].OnStoreLoss = cmp.Or(services[i].OnStoreLoss, plan.Keep)
	}
	return runners.Options{
		Host: h.name, Services: services, StateDir: h.state, Self: self, TTL: ttl, Beat: beat,
		Lookup: hereLookup, OnStoreLoss: plan.Keep, Retry: retry, Log: zerolog.New(h.log).With().Timestamp().Logger(), Cooldown: 3 * time.Second, SlowRetry: 500 * time.Millisecond,
		Version: "test",
	}
}

func hereLookup(ref stream.Ref) (string, bool, error) {
	switch ref.Scope {
	case "env":
		value, ok := os.LookupEnv(ref.Name)
		return value, ok, nil
	case "file":
		text, err := os.ReadFile(ref.Name)
		return strings.TrimSpace(string(text)), err == nil, err
	}
	return map[string]string{"site": "ber"}[ref.Name], ref.Name == "site", nil
}

// life is one run of a runner.
type life struct {
	*runners.Runner
	t      *testing.T
	cancel context.CancelFunc // has it go and leave its children as they are
	done   chan struct{}
	err    error
}

// run starts a runner and waits until it is registered.
func (h *host) run(o runners.Options) *life {
	h.w.t.Helper()
	l := h.begin(o)
	select {
	case <-l.Registered():
	case <-l.done:
		h.w.t.Fatalf("the runner of %s ended: %v", h.name, l.err)
	case <-time.After(20 * time.Second):
		h.w.t.Fatalf("the runner of %s is not registered", h.name)
	}
	return l
}

// begin starts a runner.
func (h *host) begin(o runners.Options) *life {
	h.w.t.Helper()
	_, s, q := h.w.dial(h.w.t, h.name)
	return h.start(s, q, o)
}

func (l *life) wait() error {
	l.t.Helper()
	select {
	case <-l.done:
	case <-time.After(30 * time.Second):
		l.t.Error("the runner does not return")
	}
	return l.err
}

// leave ends a life in order.
func (l *life) leave() {
	l.t.Helper()
	l.Leave()
	if err := l.wait(); err != nil {
		l.t.Fatalf("leave: %v", err)
	}
}

func (l *life) detach() {
	l.t.Helper()
	l.cancel()
	if err := l.wait(); err != nil {
		l.t.Fatalf("detach: %v", err)
	}
}

// mark is one line of a story.
type mark struct {
	what, stream, token string
	at                  time.Time
	pid                 int
}

// marks reads the story so far.
func (h *host) marks() []mark {
	text, err := os.ReadFile(filepath.Join(h.notes, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.w.t.Fatal(err)
	}
	var out []mark
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue // half written
		}
		ns, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			h.w.t.Fatalf("story %q: %v", line, err)
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil {
			h.w.t.Fatalf("story %q: %v", line, err)
		}
		out = append(out, mark{what: f[0], stream: f[2], token: f[3], at: time.Unix(0, ns), pid: pid})
	}
	return out
}

// count counts the marks of a kind.
func (h *host) count(what string) int {
	n := 0
	for _, m := range h.marks() {
		if m.what == what {
			n++
		}
	}
	return n
}

func (h *host) awaitCount(what string, n int) {
	h.w.t.Helper()
	realtest.Await(h.w.t, time.Minute, fmt.Sprintf("%s: not %d times %s", h.name, n, what), func() bool { return h.count(what) >= n })
}

// alive counts the children that live.
func (h *host) alive() int {
	n := 0
	seen := map[int]bool{}
	for _, m := range h.marks() {
		if !seen[m.pid] && lives(m.pid) {
			n++
		}
		seen[m.pid] = true
	}
	return n
}

// lives tells whether a process runs; one that is dead and not yet collected
// does not.
func lives(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return after != "" && after[0] != 'Z' && after[0] != 'X'
}

// note reads a file that a child wrote whole.
func (h *host) note(name string) string {
	h.w.t.Helper()
	var text []byte
	realtest.Await(h.w.t, time.Minute, name+" is not written", func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(h.notes, name))
		return err == nil && bytes.HasSuffix(text, []byte("\n"))
	})
	return strings.TrimSpace(string(text))
}

// logBuffer is a log that a failed test shows.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// killChild kills a child as a crash would.
func (h *host) killChild(m mark) {
	h.w.t.Helper()
	if err := syscall.Kill(m.pid, syscall.SIGKILL); err != nil {
		h.w.t.Fatal(err)
	}
}
