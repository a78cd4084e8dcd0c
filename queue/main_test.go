package queue

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"stream-api/internal/realtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come; what comes late is
// judged by figures of its own.
const patience = 2 * time.Minute

func newClient(t *testing.T, s *realtest.RedisServer, namespace string) *Client {
	t.Helper()
	c, err := NewClient(s.Client(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inspect(s *realtest.RedisServer) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(s.Client())
}

// options are those of a server that writes its log into the test's.
func options(t *testing.T, s *realtest.RedisServer) Options {
	return Options{
		Redis: s.Client(), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
	}
}

// startSlots starts a slot server that ends with the test.
func startSlots(t *testing.T, o Options, host string, types []string, h SlotHandler) *Server {
	t.Helper()
	server, err := NewSlotServer(o, host, types, h)
	if err != nil {
		t.Fatal(err)
	}
	startServer(t, server)
	return server
}

func startServer(t *testing.T, server *Server) {
	t.Helper()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(t, server) })
}

func stopServer(t *testing.T, server *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// await returns the next value of a channel.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// eventually returns once cond says true.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not seen: %s", what)
		}
	}
}

// reservationOf is one of a slot of a host's transcode service.
func reservationOf(key, host, token string) Reservation {
	return Reservation{Key: key, Instance: "transcode.1", Type: "transcode", Host: host, Token: token, Sending: 1}
}

// send sends a start command.
func send(t *testing.T, c *Client, s Reservation) {
	t.Helper()
	if err := c.SlotCommand(context.Background(), Start, s); err != nil {
		t.Fatal(err)
	}
}

// z is a member of a sorted set.
func z(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }
