package runners_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"stream-api/internal/realtest"
	"stream-api/queue"
	"stream-api/runners"
	"stream-api/runners/supervisor"
	"stream-api/store"
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
	goleak.VerifyTestMain(m)
}

// The lease of the tests: as short as its rule allows.
const (
	ttl  = 2500 * time.Millisecond
	beat = 300 * time.Millisecond
)

// world is one Redis, and a scheduler of the plainest kind.
type world struct {
	t      *testing.T
	redis  *realtest.RedisServer
	client redis.UniversalClient
	store  *store.Store
	queue  *queue.Client

	mu     sync.Mutex
	silent bool // the scheduler sends no commands
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, redis: realtest.Redis(t)}
	w.client, w.store, w.queue = w.dial(t, "scheduler")
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.schedule(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	realtest.Await(t, 10*time.Second, "the first hold does not end", func() bool { return !w.held() })
	return w
}

// dial opens a client of its own.
func (w *world) dial(t *testing.T, actor string) (redis.UniversalClient, *store.Store, *queue.Client) {
	t.Helper()
	client, s, q, err := dialRedis(w.redis.Addr, actor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, s, q
}

func dialRedis(url, actor string) (redis.UniversalClient, *store.Store, *queue.Client, error) {
	client := store.Dial(store.Target{Network: "unix", Addrs: []string{url}}, store.DialTimeout(beat))
	s, err := store.New(client, store.Options{Actor: actor, TTL: ttl, Beat: beat})
	if err != nil {
		return nil, nil, nil, err
	}
	q, err := queue.NewClient(client, "")
	return client, s, q, err
}

func (w *world) held() bool {
	status, err := w.store.Status(context.Background())
	return err != nil || status.Hold != nil
}

// schedule does what schedulers do, over and over. Errors are outages.
func (w *world) schedule(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var memory store.ReapMemory
	var replied time.Time
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n%5 == 0 {
			m := memory
			if m.Expected != 0 {
				m.Expected += time.Since(replied).Milliseconds()
			}
			if r, err := w.store.Reap(ctx, m); err == nil {
				memory, replied = store.ReapMemory{Expected: r.Now, Epoch: r.Epoch, TTL: ttl, Beat: beat}, time.Now()
			}
		}
		w.want(ctx)
		w.place(ctx)
		w.send(ctx)
	}
}

func (w *world) want(ctx context.Context) {
	marks, err := w.store.Dirty(ctx, 100)
	if err != nil {
		return
	}
	for _, m := range marks {
		said, err := w.store.Said(ctx, m.Key)
		if err != nil {
			continue
		}
		want := store.Want{Mark: m, Fields: map[string]string{}}
		for name, by := range said.BySource {
			want.Wanted, want.Chain, want.Priority = true, by.Chain, by.Priority
			want.Fields["source"] = name
			for k, v := range by.Source {
				want.Fields["source:"+k] = v
			}
			for k, v := range by.Vars {
				want.Fields[k] = v
			}
			if by.MissingSince != 0 {
				want.Fields["sys:away"] = "1"
			}
		}
		cmds, err := w.store.Want(ctx, want)
		if err != nil {
			continue
		}
		w.command(ctx, queue.Stop, cmds.Stops)
		w.command(ctx, queue.Update, cmds.Updates)
	}
}

func (w *world) place(ctx context.Context) {
	types, err := w.store.Types(ctx)
	if err != nil {
		return
	}
	for _, t := range types {
		waiting, err := w.store.Pending(ctx, t, 0, 100)
		if err != nil || len(waiting) == 0 {
			continue
		}
		classes, err := w.store.Classes(ctx, t)
		if err != nil {
			continue
		}
		for _, p := range waiting {
			var candidates []store.Candidate
			for id, class := range classes {
				rule, err := class.Compile()
				if err != nil || !w.published(ctx, p.Key, rule.Needs()) {
					continue
				}
				if tier, ok := rule.Admits(p.Key); ok {
					candidates = append(candidates, store.Candidate{Tier: tier, Class: id})
				}
			}
			if len(candidates) > 0 {
				_, _ = w.store.Place(ctx, []store.Request{{Key: p.Key, Slot: p.Slot, Type: p.Type, Candidates: candidates}})
			}
		}
	}
}

func (w *world) published(ctx context.Context, key string, needs []stream.Need) bool {
	if len(needs) == 0 {
		return true
	}
	rec, err := w.store.Record(ctx, key)
	for _, n := range needs {
		if err != nil || rec.Slots[n.Slot].Vars[n.Var] == "" {
			return false
		}
	}
	return true
}

func (w *world) send(ctx context.Context) {
	due, _, err := w.store.Outbox(ctx, time.Second, 5*time.Second, 100)
	if err != nil {
		return
	}
	for _, d := range due {
		if d.Overdue {
			_ = w.store.Unassign(ctx, d.Reservation, time.Second, "nobody claimed it")
			continue
		}
		w.commandOne(ctx, queue.Start, d.Reservation, int64(d.Attempt))
	}
}

func (w *world) command(ctx context.Context, verb queue.Verb, slots []store.Reservation) {
	for _, v := range slots {
		w.commandOne(ctx, verb, v, time.Now().UnixMilli())
	}
}

func (w *world) commandOne(ctx context.Context, verb queue.Verb, v store.Reservation, attempt int64) {
	w.mu.Lock()
	silent := w.silent
	w.mu.Unlock()
	if !silent {
		_ = w.queue.SlotCommand(ctx, verb, queue.Slot{Key: v.Key, Slot: v.Slot, Type: v.Type, Host: v.Host, Token: v.Token, Attempt: attempt})
	}
}

// announce announces a stream by hand.
func (w *world) announce(key string, vars map[string]string, chain ...string) {
	w.t.Helper()
	a := stream.Announcement{Chain: chain, Vars: vars, Source: map[string]string{"url": "http://ingest"}}
	// After an outage a client remembers for a moment that it could not dial.
	realtest.Await(w.t, 5*time.Second, key+" is not announced", func() bool {
		return w.store.AddStream(context.Background(), key, a) == nil
	})
}

func (w *world) retract(key string) {
	w.t.Helper()
	if _, err := w.store.Retract(context.Background(), store.ManualSource, key); err != nil {
		w.t.Fatal(err)
	}
}

// slot is a slot's record, zero if there is none.
func (w *world) slot(key, slot string) store.SlotRecord {
	rec, err := w.store.Record(context.Background(), key)
	if err != nil {
		return store.SlotRecord{}
	}
	return rec.Slots[slot]
}

func (w *world) awaitSlot(key, slot string, what string, ok func(store.SlotRecord) bool) store.SlotRecord {
	w.t.Helper()
	var last store.SlotRecord
	limit := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		last = w.slot(key, slot)
		if ok(last) {
			return last
		}
		if time.Now().After(limit) {
			w.t.Fatalf("%s/%s: %s; it is %+v", key, slot, what, last)
		}
		<-tick.C
	}
}

func (w *world) awaitRunning(key, slot, host string) store.SlotRecord {
	w.t.Helper()
	return w.awaitSlot(key, slot, "does not run on "+host, func(s store.SlotRecord) bool {
		return s.State == stream.Running && s.Host == host
	})
}

func (w *world) used(host string) int {
	hosts, err := w.store.Hosts(context.Background())
	if err != nil {
		return -1
	}
	for _, h := range hosts {
		if h.Host == host {
			n := 0
			for _, s := range h.Services {
				n += s.Used
			}
			return n
		}
	}
	return 0
}

// awaitHost returns when the host's lease runs and it takes slots.
func (w *world) awaitHost(name string) {
	w.t.Helper()
	realtest.Await(w.t, 20*time.Second, name+" is not up", func() bool {
		hosts, err := w.store.Hosts(context.Background())
		for _, h := range hosts {
			if err == nil && h.Host == name {
				return h.State == stream.Up
			}
		}
		return false
	})
}

// escape makes a shell script a template that gives just that script.
func escape(script string) string { return strings.ReplaceAll(script, "$", "$$") }

func countLines(text, part string) int { return strings.Count(text, part) }

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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	found, err := supervisor.List(filepath.Join(h.state, "s"))
	if err != nil {
		h.w.t.Error(err)
	}
	for _, f := range found {
		if c, err := supervisor.Adopt(ctx, f.Dir); err == nil {
			_, _ = c.End(ctx)
			_ = c.Close()
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
func (h *host) shell(stype, script string, changes ...func(*runners.Service)) runners.Service {
	h.w.t.Helper()
	seats := 10
	s := runners.Service{Type: stype, Capacity: &seats, Exec: &runners.Exec{
		Path: "/bin/sh",
		Args: templates(h.w.t, "-c", escape(script)),
		Env:  map[string]stream.Template{"NOTES": template(h.w.t, h.notes)},
		Stop: supervisor.Stop{Grace: 5 * time.Second},
		Restart: supervisor.Restart{
			Delay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond, GiveUpAfter: 4, Within: 10 * time.Second,
		},
	}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func (h *host) options(services ...runners.Service) runners.Options {
	h.w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.w.t.Fatal(err)
	}
	return runners.Options{
		Host: h.name, Services: services, StateDir: h.state, Self: self, TTL: ttl, Beat: beat,
		Lookup: hereLookup, OnStoreLoss: runners.Keep, Log: zerolog.New(h.log).With().Timestamp().Logger(), Cooldown: 3 * time.Second, SlowRetry: 500 * time.Millisecond,
		CheckInterval: 50 * time.Millisecond, Version: "test",
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
	t    *testing.T
	done chan struct{}
	err  error
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
	l.Detach()
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
	realtest.Await(h.w.t, 20*time.Second, fmt.Sprintf("%s: not %d times %s", h.name, n, what), func() bool { return h.count(what) >= n })
}

// alive counts the children that live.
func (h *host) alive() int {
	n := 0
	seen := map[int]bool{}
	for _, m := range h.marks() {
		if !seen[m.pid] && syscall.Kill(m.pid, 0) == nil {
			n++
		}
		seen[m.pid] = true
	}
	return n
}

// note reads a file that a child wrote whole.
func (h *host) note(name string) string {
	h.w.t.Helper()
	var text []byte
	realtest.Await(h.w.t, 20*time.Second, name+" is not written", func() bool {
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

// everything is all that Redis holds, as text.
func (w *world) everything() string {
	w.t.Helper()
	ctx := context.Background()
	keys, err := w.client.Keys(ctx, "*").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	for _, key := range keys {
		text, err := w.client.Dump(ctx, key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			w.t.Fatal(err)
		}
		out.WriteString(key + " " + text + "\n")
	}
	return out.String()
}

func (w *world) awaitRecord(key, what string, ok func(store.Record) bool) {
	w.t.Helper()
	realtest.Await(w.t, 20*time.Second, key+" "+what, func() bool {
		rec, err := w.store.Record(context.Background(), key)
		return err == nil && ok(rec)
	})
}

// killChild kills a child as a crash would.
func (h *host) killChild(m mark) {
	h.w.t.Helper()
	if err := syscall.Kill(m.pid, syscall.SIGKILL); err != nil {
		h.w.t.Fatal(err)
	}
}

// poller announces as a source does.
type poller struct {
	w    *world
	name string
	last int64
}

func newPoller(w *world, name string) *poller { return &poller{w: w, name: name} }

// poll is one good poll that lists keys, each with the chain [work].
func (p *poller) poll(keys ...string) {
	p.w.t.Helper()
	ctx := context.Background()
	set, err := p.w.store.Announced(ctx, p.name)
	if err != nil {
		p.w.t.Fatal(err)
	}
	poll := store.Poll{
		Source: p.name, Poller: "test", Version: set.Version, Upsert: map[string]string{}, LastGood: p.last,
		GoneAfter: time.Hour, Info: store.SourceInfo{Type: "test", URL: "http://ingest"},
	}
	listed := map[string]bool{}
	for _, key := range keys {
		listed[key] = true
		poll.Upsert[key] = stream.Announcement{Chain: []string{"work"}, Source: map[string]string{"url": "http://ingest"}}.Encode()
		if set.Missing[key] != 0 {
			poll.Back = append(poll.Back, key)
			delete(poll.Upsert, key)
		}
	}
	for key := range set.Entries {
		if !listed[key] {
			poll.Absent = append(poll.Absent, key)
		}
	}
	result, err := p.w.store.Announce(ctx, poll)
	if err != nil || result.Stale {
		p.w.t.Fatalf("poll: %+v, %v", result, err)
	}
	p.last = result.Now
}
