package queue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
)

// looks counts the looks at each queue that reach Redis.
type looks struct {
	redis.UniversalClient
	mu sync.Mutex
	n  map[string]int
}

func newLooks(rc redis.UniversalClient) *looks {
	return &looks{UniversalClient: rc, n: map[string]int{}}
}

func (l *looks) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if queue, ok := dequeued(keys); ok {
		l.mu.Lock()
		l.n[queue]++
		l.mu.Unlock()
	}
	return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

func (l *looks) at(queue string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n[queue]
}

func (l *looks) all() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.n {
		n += k
	}
	return n
}

// rings is how often a queue of the server was rung for.
func rings(s *Server, queue string) uint64 {
	s.redis.gate.mu.Lock()
	defer s.redis.gate.mu.Unlock()
	return s.redis.gate.rings[queue]
}

// atRest waits until no queue of the server is due.
func atRest(t *testing.T, s *Server) {
	t.Helper()
	eventually(t, "the server is at rest", func() bool {
		_, any, _ := s.redis.gate.due("")
		return !any
	})
}

// heeds waits until the server hears hints.
func heeds(t *testing.T, s *realtest.RedisServer, server *Server) {
	t.Helper()
	eventually(t, "the subscription", func() bool {
		n, err := s.Client().PubSubNumSub(context.Background(), server.channel).Result()
		return err == nil && n[server.channel] > 0
	})
	atRest(t, server)
}

var twelve = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}

func TestAServerAtRestLooksAtNoQueueAndAHintHasItLookAtThatOneAlone(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	counted := newLooks(s.Client())
	o := options(t, s)
	o.Redis = counted
	got := make(chan Command, 1)
	server := startSlots(t, o, "speedy", twelve, func(_ context.Context, c Command) (string, error) {
		got <- c
		return "claimed", nil
	})
	heeds(t, s, server)
	before := counted.all()
	<-time.After(300 * time.Millisecond) // the measure: a while at rest
	if n := counted.all() - before; n != 0 {
		t.Errorf("%d looks while nothing was sent", n)
	}
	client := newClient(t, s, "")
	if err := client.SlotCommand(context.Background(), Start, Reservation{Key: "s1", Instance: "c.1", Type: "c", Host: "speedy", Token: "1-a"}); err != nil {
		t.Fatal(err)
	}
	if c := await(t, got, "the command"); c.Type != "c" {
		t.Errorf("got %+v", c)
	}
	atRest(t, server)
	// One look finds it, the next finds nothing more.
	if there, all := counted.at("c:speedy"), counted.all()-before; all < 2 || there < all {
		t.Errorf("%d looks for one command, %d of them at its queue", all, there)
	}
}

func TestARingDuringALookIsNotTakenForAnswered(t *testing.T) {
	stop := make(chan struct{})
	limit := time.AfterFunc(patience, func() { close(stop) })
	defer limit.Stop()
	g := newGate(stop, []string{"a", "b"})
	g.empty("b", 1)
	due, answers := g.enter("a")
	if !due {
		t.Fatal("a new server does not look")
	}
	g.ring("a", "stranger")
	g.empty("a", answers)
	if due, answers = g.enter("a"); !due {
		t.Fatal("a ring that came while a look was on its way is forgotten")
	}
	if due, _ := g.enter("b"); due {
		t.Error("b was not rung for")
	}
	g.empty("a", answers)
	entered := make(chan bool)
	go func() {
		due, _ := g.enter("a")
		entered <- due
	}()
	select {
	case <-entered:
		t.Error("a shut gate lets a look through")
	case <-time.After(20 * time.Millisecond): // had it not waited, it would be here at once
	}
	g.ring()
	if !<-entered {
		t.Error("a ring for all does not open")
	}
}

func TestWhatAShutGateAnswersIsNoSignOfHealth(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	stop := make(chan struct{})
	close(stop) // no pauses
	p := &patientRedis{UniversalClient: s.Client(), gate: newGate(stop, []string{"a", "b"}), stop: stop, log: zerolog.Nop()}
	p.gate.empty("b", 1)
	s.Stop()
	dequeue := func(queue string) error {
		q := layout(queue)
		return p.EvalSha(t.Context(), strings.Repeat("0", 40), []string{q.pending(), q.paused(), q.active(), q.lease()}).Err()
	}
	if err := dequeue("a"); err == nil || p.healthy() {
		t.Fatalf("a look without Redis: %v, healthy %v", err, p.healthy())
	}
	if err := dequeue("b"); !errors.Is(err, redis.Nil) {
		t.Fatalf("a look that is not due: %v", err)
	}
	if p.healthy() {
		t.Error("what the gate answered is taken for an answer of Redis")
	}
}

// A hint may be lost: what waits is found by asking, at a change that the store
// tells of and every keepEvery.
func TestATaskOfWhichNothingWasHeardIsFoundByAsking(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	got := make(chan string, 1)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode", "dist"}, func(_ context.Context, c Command) (string, error) {
		got <- c.Key
		return "claimed", nil
	})
	heeds(t, s, server)
	enqueueUnheard := func(key string) {
		t.Helper()
		res := reservationOf(key, "speedy", "1-a")
		task := asynq.NewTask("slot:start", []byte(fmt.Sprintf(`{"key":%q,"instance":"transcode.1","type":"transcode","host":"speedy","token":"1-a"}`, key)))
		if _, err := asynq.NewClientFromRedisClient(s.Client()).Enqueue(task, asynq.Queue("transcode:speedy"), asynq.TaskID(Command{Start, res}.id()), asynq.MaxRetry(0)); err != nil {
			t.Fatal(err)
		}
	}
	enqueueUnheard("changed")
	server.Changed()
	if key := await(t, got, "the task after a change"); key != "changed" {
		t.Errorf("got %s", key)
	}
	enqueueUnheard("clock")
	if key := await(t, got, "the task, by the clock"); key != "clock" {
		t.Errorf("got %s", key)
	}
}

func TestAChangeOfWhichHintsToldAsksNothing(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	server, err := NewSlotServer(options(t, s), "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	server.hinted.Store(true)
	server.Changed()
	if len(server.keeper.now) != 0 {
		t.Error("Redis is asked although a hint was heard")
	}
	server.Changed()
	if len(server.keeper.now) != 1 {
		t.Error("Redis is not asked although no hint was heard")
	}
}

func TestASubscriptionMadeAgainRingsForAll(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) { return "", nil })
	heeds(t, s, server)
	before := rings(server, "transcode:speedy")
	if err := s.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ring for what was not heard meanwhile", func() bool { return rings(server, "transcode:speedy") > before })
}

// TestAServerThatWasNotLetListenListensOnceItMay: the client says nothing of a
// subscription that was refused.
func TestAServerThatWasNotLetListenListensOnceItMay(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	acl := func(channels ...any) {
		t.Helper()
		if err := s.Client().Do(t.Context(), append([]any{"ACL", "SETUSER", "default"}, channels...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	acl("resetchannels", "&asynq:cancel")
	c := newClient(t, s, "")
	if err := c.SlotCommand(t.Context(), Start, reservationOf("s1", "speedy", "1-a")); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a hint that may not be given: %v", err)
	}
	got := make(chan string, 2)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
		got <- c.Key
		return "claimed", nil
	})
	await(t, got, "the command that lay there")
	acl("allchannels")
	send(t, c, reservationOf("s2", "speedy", "1-a"))
	server.Changed()
	await(t, got, "a command of which nothing was heard")
	heeds(t, s, server)
}

func TestAHostHearsOfItsOwnQueuesAlone(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	handle := func(context.Context, Command) (string, error) { return "", nil }
	idle := startSlots(t, options(t, s), "idle", []string{"transcode"}, handle)
	events := startSlots(t, options(t, s), "events", []string{"transcode"}, handle) // a host may be called so
	heeds(t, s, idle)
	heeds(t, s, events)
	c := newClient(t, s, "")
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	if err := c.Appeared(t.Context(), "s1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the host called events hears of the queue of events", events.hinted.Load)
	if idle.hinted.Load() {
		t.Error("a host is woken for another")
	}
	if n := rings(events, "transcode:events"); n > 3 {
		t.Errorf("its queue was rung for %d times; a queue of others concerns it not", n)
	}
}

func TestWhatAsynqmonChangesWakesTheServer(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	o := options(t, s)
	o.Namespace = "voc:"
	server := startSlots(t, o, "2001:db8::1", []string{"transcode"}, func(context.Context, Command) (string, error) { return "", nil })
	heeds(t, s, server)
	h := Monitor(s.Client(), MonitorOptions{Root: "/asynqmon", Namespace: "voc:"})
	eventually(t, "the queue is listed", func() bool {
		queues, err := inspect(s).Queues()
		return err == nil && len(queues) == 1
	})
	for _, action := range []string{":pause", ":resume", "/archived_tasks:run_all"} {
		server.hinted.Store(false)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/asynqmon/api/queues/voc:transcode:2001:db8::1"+action, nil))
		if w.Code >= 300 {
			t.Fatalf("%s: %d %s", action, w.Code, w.Body)
		}
		eventually(t, action+" wakes the server", server.hinted.Load)
	}
}

// janitorEvery is long because a run of asynq's janitor removes all that is
// due; were it a batch a run, completed commands would pile up.
func TestARunOfTheJanitorRemovesAllThatIsDue(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	q := layout("transcode:speedy")
	const tasks = 450
	for i := range tasks {
		id := fmt.Sprintf("t%03d", i)
		s.Client().HSet(t.Context(), q.task(id), "msg", "x")
		s.Client().ZAdd(t.Context(), q.completed(), z(1000, id))
	}
	const interval = 5 * time.Second
	janitor := &janitorRuns{UniversalClient: s.Client()}
	server := asynq.NewServerFromRedisClient(janitor, asynq.Config{
		Queues: map[string]int{"transcode:speedy": 1}, JanitorInterval: interval, LogLevel: asynq.FatalLevel,
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	eventually(t, "all are removed", func() bool { return s.Client().ZCard(t.Context(), q.completed()).Val() == 0 })
	janitor.mu.Lock()
	defer janitor.mu.Unlock()
	if took := janitor.calls[len(janitor.calls)-1].Sub(janitor.calls[0]); len(janitor.calls) < tasks/100 || took >= interval {
		t.Errorf("%d tasks took %d calls over %v", tasks, len(janitor.calls), took)
	}
}

type janitorRuns struct {
	redis.UniversalClient
	mu    sync.Mutex
	calls []time.Time
}

func (j *janitorRuns) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if len(keys) == 1 && strings.HasSuffix(keys[0], ":completed") {
		j.mu.Lock()
		j.calls = append(j.calls, time.Now())
		j.mu.Unlock()
	}
	return j.UniversalClient.EvalSha(ctx, sha, keys, args...)
}
