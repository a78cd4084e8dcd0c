package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// cutOff empties the store before the n-th thing that is asked of it.
type cutOff struct {
	t     *testing.T
	other redis.UniversalClient
	n     int
}

func (*cutOff) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cutOff) asked(ctx context.Context) {
	if c.n--; c.n == 0 {
		if err := c.other.FlushAll(ctx).Err(); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cutOff) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.asked(ctx)
		return next(ctx, cmd)
	}
}

func (c *cutOff) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.asked(ctx)
		return next(ctx, cmds)
	}
}

// Whoever acts on a picture must not take an emptied store for an empty network.
func TestPictureOfAStoreThatIsEmptiedMeanwhileIsOnHold(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	running(g)
	g.save()
	at := &cutOff{t: t, other: redis.NewClient(&redis.Options{Network: "unix", Addr: g.client.(*redis.Client).Options().Addr})}
	defer func() { _ = at.other.Close() }()
	g.client.AddHook(at)
	lost := 0
	for k := 1; ; k++ {
		g.restore()
		// Somebody watches: by the real clock, by which a status goes.
		g.must(g.client.HSet(g.ctx, "reaper", "tick", time.Now().UnixMilli(), "until", 0).Err())
		at.n = k
		status, err := g.s.Status(g.ctx)
		g.must(err)
		if at.n > 0 {
			break // it was asked for less than that
		}
		at.n = 0
		slots := 0
		for _, v := range status.Streams {
			slots += len(v.Slots)
		}
		services := 0
		for _, h := range status.Hosts {
			services += len(h.Services)
		}
		if slots > 0 && services > 0 {
			continue
		}
		lost++
		if status.Hold == nil {
			t.Errorf("emptied before call %d it shows %d slots and %d services, and no hold", k, slots, services)
		}
	}
	if lost < 3 {
		t.Errorf("only %d calls could be cut off", lost)
	}
}
