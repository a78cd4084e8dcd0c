package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	// keepEvery is how long a queue is missing in asynqmon after FLUSHALL.
	keepEvery = 10 * time.Second
	// keepFailed is how many failed tasks of a queue stay to be looked at.
	// asynq's own limits are 10,000 and 90 days, for each host and type.
	keepFailed = 100
	// trimBatch bounds how many ids are fetched at once.
	trimBatch = 500
)

// keeper lists a server's queues in Redis, so that an operator sees and can
// pause them before the first task and after FLUSHALL, and trims what failed.
type keeper struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
	queues    []string
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
		case <-ctx.Done():
			return
		}
	}
}

// keep is one round.
func (k *keeper) keep(ctx context.Context) error {
	archived := make([]*redis.IntCmd, len(k.queues))
	_, err := k.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		members := make([]any, len(k.queues))
		for i, queue := range k.queues {
			members[i] = queue
			archived[i] = p.ZCard(ctx, layout(queue).archived())
		}
		p.SAdd(ctx, allQueues, members...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the queues: %w", err)
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
