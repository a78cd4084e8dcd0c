package runners

import (
	"context"
	"errors"
	"maps"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// published is what the slot has to say to the others of its stream.
type published struct {
	own   map[string]string // by its service
	child map[string]string // by the child
	last  map[string]string // as the store has it; nil: not known
	at    time.Time         // of the last publication; zero: none by this life
	due   <-chan time.Time  // fires when what was held back may be published
}

// publishPause is the least time between two publications of a slot, of which
// the latest counts: each is an event, and restarts who uses what has changed.
const publishPause = time.Second

// offer publishes what the slot offers to the others of its stream, if it is
// not published already, once it is ready. Nothing is not published: what an
// earlier token offered stays until this one has something in its place.
func (h *holding) offer(ctx context.Context) {
	if !h.isReady() || h.job.is {
		return
	}
	vars := maps.Clone(h.published.own)
	if vars == nil {
		vars = map[string]string{}
	}
	maps.Copy(vars, h.published.child)
	if h.published.last == nil && len(vars) == 0 || h.published.last != nil && maps.Equal(vars, h.published.last) {
		return
	}
	if rest := publishPause - time.Since(h.published.at); rest > 0 {
		h.published.due = time.After(rest)
		return
	}
	v := h.reservation()
	var tell []store.Reservation
	err := h.r.call(ctx, func(ctx context.Context) (err error) {
		tell, err = h.r.store.Publish(ctx, v, h.r.incarnation, vars)
		return err
	})
	if err != nil {
		if errors.Is(err, store.ErrStale) {
			h.r.lookSoon()
		}
		h.logger().Debug().Err(err).Msg("not published yet")
		return // tried again at the next tick
	}
	h.published.last, h.published.at, h.published.due = vars, time.Now(), nil
	h.mu.Lock()
	h.memo.Copy.Vars = vars
	h.mu.Unlock()
	h.keepMemo()
	h.r.hint(ctx, tell)
}

// hint tells the hosts of dependants at once what their revision tells them
// a beat later.
func (r *Runner) hint(ctx context.Context, instances []store.Reservation) {
	for _, v := range instances {
		err := r.call(ctx, func(ctx context.Context) error {
			return r.queue.SlotCommand(ctx, queue.Update, task(v))
		})
		if err != nil {
			r.log.Debug().Err(err).Str("stream", v.Key).Str("slot", stream.SlotOf(v.Instance)).Str("instance", v.Instance).Msg("the host of a dependant is not told at once")
		}
	}
}
