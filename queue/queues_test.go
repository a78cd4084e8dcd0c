package queue

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
)

// sentCounter counts the commands that a client sends.
type sentCounter struct{ n atomic.Int64 }

func (*sentCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *sentCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.n.Add(1)
		return next(ctx, cmd)
	}
}

func (h *sentCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.n.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// A thousand hosts have six thousand queues, read at each scrape and by each
// upkeep; nearly all of them are empty.
func TestQueuesThatHaveNothingAreAskedForByTheHundred(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	rc, counter := redis.NewClient(s.Options()), &sentCounter{}
	defer func() {
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}()
	rc.AddHook(counter)
	c, err := NewClient(rc, "")
	if err != nil {
		t.Fatal(err)
	}
	const queues = 1000
	names := make([]any, queues)
	for i := range names {
		names[i] = fmt.Sprintf("transcode:h%04d", i)
	}
	s.Client().SAdd(t.Context(), allQueues, names...)
	if err := inspect(s).PauseQueue("transcode:h0250"); err != nil {
		t.Fatal(err)
	}
	send(t, newClient(t, s, ""), reservationOf("s1", "h0777", "1-a"))

	counter.n.Store(0)
	paused, err := c.PausedQueues(t.Context())
	if err != nil || len(paused) != 1 || paused[0].Host != "h0250" {
		t.Errorf("paused: %v, %v", paused, err)
	}
	if n := counter.n.Load(); n > queues/4 {
		t.Errorf("%d commands to find one paused queue of %d", n, queues)
	}
	counter.n.Store(0)
	depths, err := c.Depths(t.Context())
	if err != nil || len(depths) != queues || depths[777].Pending != 1 || !depths[250].Paused || depths[3] != (Depth{Queue: "transcode:h0003", Service: Service{"transcode", "h0003"}}) {
		t.Errorf("depths: %d, %+v, %+v, %v", len(depths), depths[777], depths[250], err)
	}
	if n := counter.n.Load(); n > queues/2 {
		t.Errorf("%d commands for the depths of %d queues, two of which have something", n, queues)
	}
}
