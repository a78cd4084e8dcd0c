package queue

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
)

// logLines collects a log.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// dequeues counts the looks at a queue.
type dequeues struct {
	redis.UniversalClient
	n atomic.Int64
}

func (d *dequeues) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if _, ok := dequeued(keys); ok {
		d.n.Add(1)
	}
	return d.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

// TestAServerOutlivesRedis shows, for each way of losing Redis, that a server
// neither spins nor floods the log while it lasts, and works again by itself.
func TestAServerOutlivesRedis(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		lose, back func(*realtest.RedisServer)
	}{
		"stopped": {(*realtest.RedisServer).Stop, (*realtest.RedisServer).Start},
		"killed":  {(*realtest.RedisServer).Kill, (*realtest.RedisServer).Start},
		"frozen":  {(*realtest.RedisServer).Freeze, (*realtest.RedisServer).Thaw},
		"refuses writes": {
			func(s *realtest.RedisServer) { s.Client().ConfigSet(ctx, "min-replicas-to-write", "1") },
			func(s *realtest.RedisServer) { s.Client().ConfigSet(ctx, "min-replicas-to-write", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := realtest.Redis(t)
			client := newClient(t, s, "")
			lines := &logLines{}
			counted := &dequeues{UniversalClient: s.Client()}
			got := make(chan string, 10)
			o := Options{Redis: counted, Log: zerolog.New(lines).Level(zerolog.InfoLevel)}
			server := startSlots(t, o, "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
				got <- c.Key
				return "claimed", nil
			})
			send(t, client, reservationOf("before", "speedy", "1-a"))
			await(t, got, "a command before the outage")

			c.lose(s)
			server.Wake() // as its host does; by itself it looks every keepEvery
			eventually(t, "the server says that it cannot read", func() bool { return server.Err() != nil })
			before := counted.n.Load()
			<-time.After(3 * time.Second) // the measure: an outage of this length
			// 50, 100, 200, 400, 800 ms, then a second each; the pauses may
			// be half as long by chance.
			if n := counted.n.Load() - before; n > 14 {
				t.Errorf("%d looks at the queue in 3 s without Redis", n)
			}

			c.back(s)
			since := time.Now()
			eventually(t, "a command after the outage is taken", func() bool {
				return client.SlotCommand(ctx, Start, reservationOf("after", "speedy", "1-a")) == nil
			})
			if key := await(t, got, "a command after the outage"); key != "after" {
				t.Errorf("after the outage came %s", key)
			}
			if took := time.Since(since); took > longestPause+15*time.Second { // a frozen call has its own time limit
				t.Errorf("%v from Redis being back to the next command", took)
			}
			eventually(t, "no problem", func() bool { return server.Err() == nil })
			if n := len(lines.lines()); n > 12 {
				t.Errorf("%d lines of log in one outage:\n%s", n, strings.Join(lines.lines(), "\n"))
			}
			for _, want := range []string{"queues cannot be read", "queues are read again"} {
				if n := strings.Count(strings.Join(lines.lines(), "\n"), want); n != 1 {
					t.Errorf("%q is said %d times", want, n)
				}
			}
		})
	}
}

func TestAServerStartedWithoutRedisWaitsForItAndStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	s.Stop()
	got := make(chan string, 1)
	handle := func(_ context.Context, c Command) (string, error) {
		got <- c.Key
		return "", nil
	}
	idle := startSlots(t, options(t, s), "idle", []string{"transcode"}, handle)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, handle)
	eventually(t, "both say that they cannot read", func() bool { return idle.Err() != nil && server.Err() != nil })
	since := time.Now()
	stopServer(t, idle)
	if took := time.Since(since); took > 15*time.Second {
		t.Errorf("Stop without Redis took %v", took)
	}
	s.Start()
	client := newClient(t, s, "")
	eventually(t, "the Redis client dials again", func() bool {
		return client.SlotCommand(context.Background(), Start, reservationOf("s1", "speedy", "1-a")) == nil
	})
	await(t, got, "a command")
}

func TestStopKeepsItsBoundWhileRedisIsSilent(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) {
		return "", nil
	})
	s.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	since := time.Now()
	err := server.Stop(ctx)
	if took := time.Since(since); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
		t.Errorf("Stop took %v: %v", took, err)
	}
	s.Thaw()
	stopServer(t, server)
}

func TestAServerOutlivesFlushallAndItsQueuesAreListedAgain(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	got := make(chan string, 2)
	flushed := make(chan struct{})
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
		got <- c.Key
		if c.Key == "during" {
			<-flushed
		}
		return "claimed", nil
	})
	send(t, c, reservationOf("during", "speedy", "1-a"))
	await(t, got, "the command before FLUSHALL")
	if err := s.Client().FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	close(flushed)
	if err := server.keeper.keep(ctx); err != nil {
		t.Fatal(err)
	}
	if queues, err := inspect(s).Queues(); err != nil || len(queues) != 1 {
		t.Errorf("queues after FLUSHALL: %v, %v", queues, err)
	}
	send(t, c, reservationOf("after", "speedy", "2-a"))
	if key := await(t, got, "a command after FLUSHALL"); key != "after" {
		t.Errorf("after FLUSHALL came %s", key)
	}
	eventually(t, "asynqmon's figures", func() bool {
		info, err := inspect(s).GetQueueInfo("transcode:speedy")
		return err == nil && info.Completed == 1
	})
}

func TestTheSameComplaintIsSaidOnceWithTheNumberHeldBack(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	away := false
	l := &asynqLog{log: zerolog.New(lines).Level(zerolog.InfoLevel), away: func() bool { return away }}
	for i := range 50 {
		l.Error("Failed to delete expired completed tasks from queue \"" + strings.Repeat("q", i) + "\": EOF")
		l.Warn("Retry exhausted for task id=x")
		l.Error("Dequeue error: EOF")
		l.Debug("All queues are empty")
		l.Info("Starting processing")
	}
	l.Error("Failed to write server state data: EOF")
	if got := lines.lines(); len(got) != 2 {
		t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	for _, k := range l.kinds {
		k.said = k.said.Add(-2 * quietFor)
	}
	l.Error("Failed to delete expired completed tasks from queue \"a\": EOF")
	if got := lines.lines(); len(got) != 3 || !strings.Contains(got[2], `"held_back":49`) {
		t.Errorf("after a while:\n%s", strings.Join(got, "\n"))
	}
	away = true
	l.Error("Failed to extend lease for tasks [x]: EOF")
	if got := lines.lines(); len(got) != 3 {
		t.Errorf("while Redis is known to be away:\n%s", strings.Join(got, "\n"))
	}
}
