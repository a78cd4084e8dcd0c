package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

const (
	firstPause = 50 * time.Millisecond
	// longestPause bounds how late a server sees that Redis is back.
	longestPause = time.Second
	// sayAgain is how often an outage that lasts is said again.
	sayAgain = time.Minute
)

// patientRedis is the client that asynq's server works with. It holds back the
// looks at queues of which nothing was heard (see gate). And asynq asks again at
// once when a dequeue failed, which would keep a core busy for as long as Redis
// refuses connections or writes; here a failed dequeue returns after a growing
// pause. It says in the log when reading fails, and when it works again. What
// the gate answers is no sign of either.
type patientRedis struct {
	redis.UniversalClient
	gate *gate
	stop <-chan struct{} // closed when there is nothing to be patient for
	log  zerolog.Logger

	mu     sync.Mutex
	err    error // of the last dequeue that asked Redis
	since  time.Time
	said   time.Time
	pause  time.Duration
	failed int
}

func (p *patientRedis) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return p.dequeue(ctx, keys, func() *redis.Cmd { return p.UniversalClient.EvalSha(ctx, sha, keys, args...) })
}

func (p *patientRedis) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return p.dequeue(ctx, keys, func() *redis.Cmd { return p.UniversalClient.Eval(ctx, script, keys, args...) })
}

// dequeue lets a dequeue through the gate and keeps its outcome; other scripts
// just run.
func (p *patientRedis) dequeue(ctx context.Context, keys []string, ask func() *redis.Cmd) *redis.Cmd {
	queue, ok := dequeued(keys)
	if !ok {
		return ask()
	}
	due, answers := p.gate.enter(queue)
	if !due {
		empty := redis.NewCmd(ctx)
		empty.SetErr(redis.Nil) // what an empty queue answers
		return empty
	}
	cmd := ask()
	switch err := cmd.Err(); {
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // asynq sends the script's text next
	case errors.Is(err, redis.Nil):
		p.gate.empty(queue, answers)
		p.note(nil)
	default:
		p.note(err)
	}
	return cmd
}

// dequeued is the queue that asynq's dequeue is about, which is known by its
// second key: no other script of its server looks whether a queue is paused.
func dequeued(keys []string) (queue string, ok bool) {
	if len(keys) < 2 {
		return "", false
	}
	rest, ok := strings.CutPrefix(keys[1], "asynq:{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "}:paused")
}

// note takes the outcome of a dequeue and waits when it failed.
func (p *patientRedis) note(err error) {
	pause := p.record(err)
	if pause == 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.stop:
	}
}

// record keeps the outcome, says what changed, and tells how long to wait.
func (p *patientRedis) record(err error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	previous := p.err
	p.err = err
	if err == nil {
		if previous != nil {
			p.log.Info().Dur("after", time.Since(p.since)).Int("failed", p.failed).Msg("queues are read again")
		}
		p.pause, p.failed = 0, 0
		return 0
	}
	now := time.Now()
	if previous == nil {
		p.since, p.said = now, time.Time{}
	}
	if now.Sub(p.said) >= sayAgain {
		p.log.Warn().Err(err).Dur("for", now.Sub(p.since)).Msg("queues cannot be read; it is tried again until Redis answers")
		p.said = now
	}
	p.failed++
	p.pause = min(max(firstPause, 2*p.pause), longestPause)
	// Servers that lost Redis together shall not come back together.
	return p.pause/2 + rand.N(p.pause/2+1)
}

func (p *patientRedis) problem() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *patientRedis) healthy() bool { return p.problem() == nil }
