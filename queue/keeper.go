package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	// keepEvery is how long a queue is missing in asynqmon after FLUSHALL, and
	// how long a task waits of which the server heard nothing.
	keepEvery = 10 * time.Second
	// keepFailed is how many failed tasks of a queue stay to be looked at.
	// asynq's own limits are 10,000 and 90 days, for each host and type.
	keepFailed = 100
	// trimBatch bounds how many ids are fetched at once.
	trimBatch = 500
	// trimRounds is after how many rounds failed tasks are counted though
	// none failed here: asynq archives those of a host that died.
	trimRounds = 60
)

// keeper lists a server's queues in Redis, so that an operator sees and can
// pause them before the first task and after FLUSHALL, looks whether something
// waits in them that the server was not told of, and trims what failed. A round
// is two commands, whatever the number of queues.
type keeper struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
	queues    []string
	waiting   func()        // called when something waits in the queues
	now       chan struct{} // holds one: a round is wanted now
	failed    atomic.Bool   // a task failed since the last count
	rounds    int
}

func newKeeper(rc redis.UniversalClient, queues []string, waiting func()) *keeper {
	return &keeper{redis: rc, inspector: asynq.NewInspectorFromRedisClient(rc), queues: queues, waiting: waiting, now: make(chan struct{}, 1)}
}

// run keeps the queues until ctx ends. It leaves out a round while healthy
// says no, as each call would wait for Redis in vain.
func (k *keeper) run(ctx context.Context, healthy func() bool, failed func(error)) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		if healthy() {
			if err := k.keep(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ticker.C:
		case <-k.now:
		case <-ctx.Done():
			return
		}
	}
}

// soon asks for a round now.
func (k *keeper) soon() {
	select {
	case k.now <- struct{}{}:
	default: // one is asked for
	}
}

// keep is one round.
func (k *keeper) keep(ctx context.Context) error {
	names, pending := make([]any, len(k.queues)), make([]string, len(k.queues))
	for i, queue := range k.queues {
		names[i], pending[i] = queue, layout(queue).pending()
	}
	var waits *redis.IntCmd
	_, err := k.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SAdd(ctx, allQueues, names...)
		waits = p.Exists(ctx, pending...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the queues: %w", err)
	}
	if waits.Val() > 0 {
		k.waiting()
	}
	if k.rounds++; k.failed.Swap(false) || k.rounds%trimRounds == 1 {
		if err := k.trimAll(ctx); err != nil {
			k.failed.Store(true)
			return err
		}
	}
	return nil
}

func (k *keeper) trimAll(ctx context.Context) error {
	archived := make([]*redis.IntCmd, len(k.queues))
	_, err := k.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, queue := range k.queues {
			archived[i] = p.ZCard(ctx, layout(queue).archived())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the failed tasks: %w", err)
	}
	for i, queue := range k.queues {
		if err := k.trim(ctx, queue, archived[i].Val()-keepFailed); err != nil {
			return fmt.Errorf("trim the failed tasks of queue %s: %w", queue, err)
		}
	}
	return nil
}

// trim deletes the oldest excess failed tasks. Several servers may do so at
// once.
func (k *keeper) trim(ctx context.Context, queue string, excess int64) error {
	for ; excess > 0; excess -= trimBatch {
		ids, err := k.redis.ZRange(ctx, layout(queue).archived(), 0, min(excess, trimBatch)-1).Result()
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := k.inspector.DeleteTask(queue, id)
			if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}
