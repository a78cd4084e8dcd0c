package runners

import (
	"context"
	"time"

	"stream-api/queue"
)

// startPatience bounds how long a start command waits to say how it went; a
// pre_start hook may take longer.
const startPatience = 15 * time.Second

// command carries a slot command out. A start answers with how it went, so
// that a failing one is seen in asynqmon with its reason; the others are
// hints to look, as the store has the truth.
func (r *Runner) command(ctx context.Context, c queue.Command) (string, error) {
	if c.Verb != queue.Start {
		r.lookSoon()
		return "noted", nil
	}
	if c.Host != r.o.Host {
		return "stale: it is for " + c.Host, nil
	}
	h := r.take(commanded(c))
	if h == nil {
		return "stale: this host ended it, or leaves", nil
	}
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-h.outcome.known:
		return h.came()
	case <-patience.C:
		return "it takes longer", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
