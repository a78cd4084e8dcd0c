package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// world is a real Redis with a real store, and the pollers of one test.
type world struct {
	t     *testing.T
	redis *realtest.RedisServer
	store *store.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, redis: realtest.Redis(t)}
	var err error
	if w.store, err = store.New(w.redis.Client(), store.Options{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.watched()
	return w
}

// watched has the store look as if a scheduler looked at it: nothing is on hold.
func (w *world) watched() {
	client := redis.NewClient(w.redis.Options()) // its failed dials are no business of the store's
	w.t.Cleanup(func() { _ = client.Close() })
	tick := func() error {
		now, err := client.Time(context.Background()).Result()
		if err != nil {
			return err
		}
		return client.HSet(context.Background(), "reaper", "tick", now.UnixMilli(), "until", 0).Err()
	}
	if err := tick(); err != nil {
		w.t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	w.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(500 * time.Millisecond):
				_ = tick() // a test may have stopped the server
			}
		}
	}()
}

// running is a poller with what it did.
type running struct {
	*Poller
	hints *hints
	log   *logLines
	stop  func()
}

func (w *world) poll(c Config, id string) *running {
	w.t.Helper()
	return w.pollWith(c, id, nil)
}

func (w *world) pollWith(c Config, id string, m *Memory) *running {
	w.t.Helper()
	r := &running{hints: &hints{}, log: &logLines{}}
	if c.Name == "" {
		c.Name = "ingest"
	}
	if c.Chain == nil {
		c.Chain = []string{"dist"}
	}
	var err error
	r.Poller, err = New(timed(c), Deps{Store: w.store, Hints: r.hints, ID: id, Log: zerolog.New(r.log), Memory: m})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(r.stop)
	return r
}

// announced are the keys Redis holds for a source.
func (w *world) announced(source string) []string {
	w.t.Helper()
	names, err := w.askAnnounced(source)
	if err != nil {
		w.t.Fatalf("announced: %v", err)
	}
	return names
}

func (w *world) askAnnounced(source string) ([]string, error) {
	set, err := w.store.Announced(w.t.Context(), source)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(set.Entries)), nil
}

// await waits until a source announces just want, and for a Redis that is away.
func (w *world) await(within time.Duration, source string, want ...string) {
	w.t.Helper()
	realtest.Await(w.t, within, fmt.Sprintf("%s does not announce just %q", source, want), func() bool {
		names, err := w.askAnnounced(source)
		return err == nil && slices.Equal(names, want)
	})
}

type hints struct {
	mu             sync.Mutex
	appeared, gone []string
}

func (h *hints) Appeared(_ context.Context, keys ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.appeared = append(h.appeared, keys...)
	return nil
}

func (h *hints) Gone(_ context.Context, keys ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = append(h.gone, keys...)
	return nil
}

func (h *hints) got() (appeared, gone string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.appeared, " "), strings.Join(h.gone, " ")
}

type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// messages are the lines above debug.
func (l *logLines) messages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for line := range strings.Lines(l.buf.String()) {
		var entry struct{ Level, Message string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level != "debug" {
			all = append(all, entry.Message)
		}
	}
	return all
}

// relay is an ingest that speaks as srtrelay does and lists what it is told.
type relay struct {
	*httptest.Server
	mu    sync.Mutex
	lists map[string]string // name → created
	serve http.HandlerFunc  // instead of the list
	asked int
	later []string // are listed from the answer after the second on
}

func newRelay(t *testing.T, names ...string) *relay {
	t.Helper()
	r := &relay{lists: map[string]string{}}
	r.set(names...)
	r.Server = hostileServer(t, func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		serve := r.serve
		r.asked++
		var rows []map[string]string
		for name, created := range r.lists {
			rows = append(rows, map[string]string{"name": name, "created": created})
		}
		if r.asked == 2 {
			for _, name := range r.later {
				r.lists[name] = ""
			}
		}
		r.mu.Unlock()
		if serve != nil {
			serve(w, req)
			return
		}
		if err := json.NewEncoder(w).Encode(rows); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *relay) set(names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serve = nil
	r.lists = map[string]string{}
	for _, name := range names {
		name, session, _ := strings.Cut(name, "@")
		r.lists[name] = session
	}
}

func (r *relay) instead(serve http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serve = serve
}

func (r *relay) polls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func (r *relay) config() Config {
	return Config{Type: "srtrelay", URL: r.URL, Interval: 100 * time.Millisecond, Timeout: 500 * time.Millisecond, GoneAfter: 400 * time.Millisecond}
}

func TestStreamsAppearAndAreGoneAfterTheirTime(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1@a", "s2@a")
	c := ingest.config()
	c.GoneAfter = 2 * time.Second
	p := w.poll(c, "a")
	w.await(20*time.Second, "ingest", "s1", "s2")
	listed := time.Now()
	ingest.set("s2@a")
	w.await(20*time.Second, "ingest", "s2")
	if after := time.Since(listed); after < time.Second {
		t.Errorf("s1 was gone after %v with gone_after %v", after, c.GoneAfter)
	}
	realtest.Await(t, 20*time.Second, "no hint that s1 is gone", func() bool { _, gone := p.hints.got(); return gone == "s1" })
	if appeared, _ := p.hints.got(); appeared != "s1 s2" {
		t.Errorf("hints of appearance: %q", appeared)
	}
}

// A slow interval must not hold a retraction up: the poll comes when it is due.
func TestRetractionIsNotHeldUpByTheInterval(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1")
	c := ingest.config()
	c.Interval, c.GoneAfter = 20*time.Second, 3*time.Second
	p := w.poll(c, "a")
	w.await(20*time.Second, "ingest", "s1")
	ingest.set()
	p.Wake()
	// Missing counts from the last poll that listed it, so it is due 3 s after
	// that one; ticks alone would find it after 20 s.
	w.await(15*time.Second, "ingest")
}

func TestUnknownIsNeverGone(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1", "s2")
	p := w.poll(ingest.config(), "a")
	w.await(20*time.Second, "ingest", "s1", "s2")
	for name, serve := range map[string]http.HandlerFunc{
		"error 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"empty 200": func(http.ResponseWriter, *http.Request) {},
		"cut off":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[{"name":"s1"}`) },
		"silence":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"rubbish":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[{},{}]`) },
	} {
		failed := p.Stats().Failed
		ingest.instead(serve)
		start := time.Now()
		realtest.Await(t, 20*time.Second, name+" is not noticed", func() bool {
			return p.Stats().Failed >= failed+2 && time.Since(start) > time.Second
		})
		if s := p.Stats(); s.State != stream.SourceUnknown || s.Problem == "" {
			t.Errorf("%s: state %s, problem %q", name, s.State, s.Problem)
		}
		realtest.Await(t, 20*time.Second, name+": Redis calls the source good", func() bool {
			return w.redis.Client().HGet(t.Context(), "source:ingest", "state").Val() == "unknown"
		})
		ingest.set("s1", "s2")
		realtest.Await(t, 15*time.Second, name+": not good again", func() bool { return p.Stats().State == stream.SourceGood })
		w.await(0, "ingest", "s1", "s2")
	}
	if appeared, gone := p.hints.got(); appeared != "s1 s2" || gone != "" {
		t.Errorf("hints: appeared %q, gone %q", appeared, gone)
	}
	messages := p.log.messages()
	if len(messages) != 11 {
		t.Errorf("%d lines for one start and five outages, want 11: %q", len(messages), messages)
	}
}

// An unchanged poll costs Redis the same however many streams there are.
func TestSteadyStateCostsRedisAFewCommandsAPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	ingest := newRelay(t, names...)
	p := w.poll(ingest.config(), "a")
	realtest.Await(t, 20*time.Second, "not announced", func() bool { return len(w.announced("ingest")) == 2000 })
	before, redis := p.Stats(), w.redis.Client()
	if err := redis.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	lines := len(p.log.messages())
	realtest.Await(t, 20*time.Second, "no ten polls", func() bool { return p.Stats().Good >= before.Good+10 })
	p.stop()
	polls := p.Stats().Good - before.Good
	var calls, scripts int
	for line := range strings.Lines(redis.Info(t.Context(), "commandstats").Val()) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":calls=")
		var n int
		if _, err := fmt.Sscan(strings.Split(rest, ",")[0], &n); err == nil {
			calls += n
			if name == "cmdstat_evalsha" {
				scripts = n
			}
		}
	}
	if uint64(scripts) > polls+1 || uint64(calls) > 10*(polls+1) {
		t.Errorf("%d polls of 2,000 unchanged streams: %d scripts, %d commands", polls, scripts, calls)
	}
	if got := p.log.messages(); len(got) != lines {
		t.Errorf("lines in a steady state: %q", got[lines:])
	}
	t.Logf("%d polls: %d scripts, %d Redis commands, those inside scripts included", polls, scripts, calls)
}

// TestWhatAHandTookFromTheAnnouncedIsSaidAgain: the poller knows how many it announced.
func TestWhatAHandTookFromTheAnnouncedIsSaidAgain(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1@a", "s2@a")
	p := w.poll(ingest.config(), "a")
	w.await(20*time.Second, "ingest", "s1", "s2")
	for _, args := range [][]any{{"HDEL", "announced:ingest", "s1"}, {"DEL", "announced:ingest"}} {
		if err := w.redis.Client().Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
		w.await(20*time.Second, "ingest", "s1", "s2")
	}
	if _, gone := p.hints.got(); gone != "" {
		t.Errorf("gone: %q", gone)
	}
}

func TestRestartedPollerRepeatsAndForgetsNothing(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1@a", "s2@a")
	w.poll(ingest.config(), "a").stop2(w)
	ingest.set("s1@a", "s3@a")
	second := w.poll(ingest.config(), "b")
	w.await(20*time.Second, "ingest", "s1", "s3")
	// The announcement is stored before the hints are given, appeared first.
	realtest.Await(t, 20*time.Second, "no hint that s2 is gone", func() bool { _, gone := second.hints.got(); return gone != "" })
	if appeared, gone := second.hints.got(); appeared != "s3" || gone != "s2" {
		t.Errorf("hints after the restart: appeared %q, gone %q; want s3, s2", appeared, gone)
	}
}

// stop2 ends a poller after its first announcement.
func (r *running) stop2(w *world) {
	w.t.Helper()
	realtest.Await(w.t, 20*time.Second, "nothing announced", func() bool { appeared, _ := r.hints.got(); return appeared != "" })
	r.stop()
}

func TestNewSessionIsAnnouncedAndAMissingOneIsNot(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1@a")
	p := w.poll(ingest.config(), "a")
	w.await(20*time.Second, "ingest", "s1")
	ingest.set("s1")
	polls := p.Stats().Good
	realtest.Await(t, 20*time.Second, "no polls", func() bool { return p.Stats().Good > polls+3 })
	if appeared, _ := p.hints.got(); appeared != "s1" {
		t.Errorf("an answer without a session was taken for a new one: %q", appeared)
	}
	ingest.set("s1@b")
	realtest.Await(t, 20*time.Second, "the new session is not announced", func() bool { appeared, _ := p.hints.got(); return appeared == "s1 s1" })
}

func TestPublisherThatDropsForLessThanGoneAfterStays(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1@a")
	c := ingest.config()
	c.GoneAfter = 3 * time.Second
	p := w.poll(c, "a")
	w.await(20*time.Second, "ingest", "s1")
	for range 3 {
		ingest.set()
		realtest.Await(t, 20*time.Second, "not missed", func() bool {
			return w.redis.Client().HExists(t.Context(), "missing:ingest", "s1").Val()
		})
		ingest.set("s1@a")
		realtest.Await(t, 20*time.Second, "not back", func() bool {
			return !w.redis.Client().HExists(t.Context(), "missing:ingest", "s1").Val()
		})
	}
	if _, gone := p.hints.got(); gone != "" {
		t.Errorf("gone: %q", gone)
	}
}

func TestSeveralPollersOfOneSourceAgree(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t)
	var all []*running
	for i := range 4 {
		all = append(all, w.poll(ingest.config(), fmt.Sprint(i)))
	}
	for i := range 10 {
		names := []string{fmt.Sprintf("s%d", i), fmt.Sprintf("s%d", i+1)}
		ingest.set(names...)
		slices.Sort(names)
		w.await(20*time.Second, "ingest", names...)
	}
	appeared, gone := map[string]int{}, map[string]int{}
	var good, failed uint64
	for _, p := range all {
		p.stop()
		a, g := p.hints.got()
		for _, key := range strings.Fields(a) {
			appeared[key]++
		}
		for _, key := range strings.Fields(g) {
			gone[key]++
		}
		good, failed = good+p.Stats().Good, failed+p.Stats().StoreFailed
	}
	for i := range 11 {
		key := fmt.Sprintf("s%d", i)
		// A key may be back after another poller's older answer missed it.
		if appeared[key] < 1 || appeared[key] > 8 {
			t.Errorf("%s appeared %d times", key, appeared[key])
		}
		if i < 9 && gone[key] != 1 {
			t.Errorf("%s was retracted %d times, want once", key, gone[key])
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d announcements failed", failed, good)
	}
}

func TestWakePollsAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t)
	c := ingest.config()
	c.Interval = time.Hour
	// The hook comes before the stream is listed.
	ingest.later = []string{"s1"}
	p := w.poll(c, "a")
	realtest.Await(t, 20*time.Second, "no first poll", func() bool { return p.Stats().Good == 1 })
	p.Wake()
	w.await(20*time.Second, "ingest", "s1") // the interval would take an hour
	polls := ingest.polls()
	start := time.Now()
	for time.Since(start) < time.Second {
		p.Wake()
	}
	if n := ingest.polls() - polls; n > 25 {
		t.Errorf("%d polls in a second of wakes", n)
	}
}

func TestStoreOutageIsLivedThrough(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1")
	p := w.poll(ingest.config(), "a")
	w.await(20*time.Second, "ingest", "s1")
	w.redis.Kill()
	good := p.Stats().Good
	realtest.Await(t, 20*time.Second, "polling stopped", func() bool { s := p.Stats(); return s.Good > good+3 && s.StoreProblem != "" })
	ingest.set("s1", "s2")
	w.redis.Start() // with nothing in it
	w.await(20*time.Second, "ingest", "s1", "s2")
	realtest.Await(t, 20*time.Second, "the problem is still shown", func() bool { return p.Stats().StoreProblem == "" })
	if messages := p.log.messages(); len(messages) != 3 {
		t.Errorf("lines: %q, want read, outage and its end", messages)
	}
}

func TestSecondSourceOfTheSameNameIsRefusedVisibly(t *testing.T) {
	t.Parallel()
	w, first, second := newWorld(t), newRelay(t, "s1"), newRelay(t, "q1")
	w.poll(first.config(), "a")
	w.await(20*time.Second, "ingest", "s1")
	p := w.poll(second.config(), "b")
	realtest.Await(t, 20*time.Second, "not refused", func() bool { return strings.Contains(p.Stats().StoreProblem, "already polled") })
	w.await(0, "ingest", "s1")
	if messages := p.log.messages(); !slices.Contains(messages, "another source has this name; nothing of this one is announced") {
		t.Errorf("lines: %q", messages)
	}
}

func TestHostileSourcesHarmNoOther(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1")
	bomb()
	for name, c := range hostile {
		s := hostileServer(t, c.serve)
		w.poll(Config{Name: "hostile-" + strings.ReplaceAll(name, " ", "-"), URL: s.URL, Interval: 100 * time.Millisecond, Timeout: 3 * time.Second, MaxBody: 1 << 20}, "a")
	}
	c := ingest.config()
	c.Timeout = 20 * time.Second // the machine is busy, not the ingest
	p := w.poll(c, "a")
	w.await(20*time.Second, "ingest", "s1")
	good := p.Stats().Good
	// In turn with those that never answer, 20 polls would take two minutes.
	realtest.Await(t, 40*time.Second, "the good source starves", func() bool { return p.Stats().Good >= good+20 })
	if s := p.Stats(); s.Failed > 0 {
		t.Errorf("%d polls of the good source failed: %s", s.Failed, s.Problem)
	}
}

func TestStaticSourceIsAlwaysLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.poll(Config{Plugin: PluginStatic, Mounts: []stream.Mount{{Key: "s1"}, {Key: "s2", Vars: map[string]string{"lang": "de"}}}, Priority: 7}, "a")
	w.await(20*time.Second, "ingest", "s1", "s2")
	set, err := w.store.Announced(t.Context(), "ingest")
	if err != nil {
		t.Fatal(err)
	}
	a, err := stream.DecodeAnnouncement(set.Entries["s2"])
	if err != nil || a.Vars["lang"] != "de" || a.Priority != 7 || len(a.Chain) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// While nobody knows what our slots publish, nothing is announced, and a
// stream that was judged meanwhile is compared afterwards.
func TestNothingIsAnnouncedThatMayBeOurOwnOutput(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1", "out")
	var mu sync.Mutex
	failing, asked := true, 0
	output := func(_ context.Context, fresh bool) (Outputs, error) {
		mu.Lock()
		defer mu.Unlock()
		if fresh {
			asked++
		}
		if failing {
			return nil, errors.New("no store")
		}
		own := Outputs{}
		for _, at := range Places(strings.Replace(ingest.URL, "http:", "srt:", 1) + "?streamid=publish/out") {
			own[at] = []string{"s1"}
		}
		return own, nil
	}
	c := ingest.config()
	c.Name, c.Chain = "ingest", []string{"dist"}
	p, err := New(timed(c), Deps{Store: w.store, Hints: &hints{}, ID: "a", Log: zerolog.Nop(), Output: output})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() { cancel(); <-done }()
	realtest.Await(t, 20*time.Second, "not said", func() bool { return strings.Contains(p.Stats().StoreProblem, "what slots publish") })
	w.await(0, "ingest")
	mu.Lock()
	failing = false
	mu.Unlock()
	w.await(20*time.Second, "ingest", "s1")
	polls := p.Stats().Good
	mu.Lock()
	before := asked
	mu.Unlock()
	realtest.Await(t, 20*time.Second, "no polls", func() bool { return p.Stats().Good > polls+5 })
	mu.Lock()
	defer mu.Unlock()
	if asked > before+1 { // one may have been on its way
		t.Errorf("%d fresh readings in a steady state", asked-before)
	}
	if got := p.Stats().Refused; got != 1 {
		t.Errorf("refused %d, want the loop", got)
	}
}
