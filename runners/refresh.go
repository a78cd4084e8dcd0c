package runners

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"stream-api/queue"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// refresh takes in how the stream stands now. A child is restarted only if
// what it was started with would really be another because of the stream; a
// change of the configuration alone is shown as stale. A value that is
// missing now changes nothing: what was published stays until it is replaced.
func (h *holding) refresh(ctx context.Context, rec store.Record) {
	h.keepCopy(ctx, rec)
	if h.service == nil {
		return
	}
	v, at := ValuesOf(rec), h.subject()
	if own, err := h.service.Published(at, v, h.r.o.Lookup); err == nil {
		h.ownVars = own
	}
	if h.static || h.weighed && reflect.DeepEqual(h.lastValues, v) {
		return
	}
	h.lastValues, h.weighed = v, false
	h.mu.Lock()
	before := h.memo.Values
	h.mu.Unlock()
	c := h.service.Weigh(at, h.runs, before, v, h.r.o.Lookup)
	switch c.Do {
	case plan.Stays:
		h.showStale(ctx, false)
		h.keepValues(v)
		h.weighed = true
	case plan.Stale:
		h.showStale(ctx, true)
		h.weighed = true
	case plan.Restarts:
		h.weighed = h.restart(ctx, c.To, v, c.Why)
	}
}

// restart has the supervisor start the child anew, gracefully; false if that
// has to be tried again.
func (h *holding) restart(ctx context.Context, wanted supervisor.Exec, v plan.Values, why stream.Reason) bool {
	sup, at := h.supervisor(), h.subject()
	if sup == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := sup.Restart(ctx, wanted)
	if err != nil {
		h.logger().Warn().Err(err).Msg("the child is not started anew yet")
		return false
	}
	h.runs, h.stale = wanted, false
	h.mu.Lock()
	moved := !maps.Equal(h.memo.PlaceVars, at.PlaceVars)
	h.memo.PlaceVars = at.PlaceVars
	h.mu.Unlock()
	if !h.keepValues(v) && moved {
		h.keepMemo()
	}
	h.logger().Info().Str("state", string(PhaseRunning)).Stringer("reason", why).Msg("the child is started anew")
	h.tell("updated", why, map[string]string{"stale": ""})
	h.flush(ctx)
	return true
}

// keepValues takes note of the values the child was started with, or might
// have been; true if that was news and is written down.
func (h *holding) keepValues(v plan.Values) bool {
	h.mu.Lock()
	same := reflect.DeepEqual(h.memo.Values, v)
	h.memo.Values = v
	h.mu.Unlock()
	if !same {
		h.keepMemo()
	}
	return !same
}

func (h *holding) showStale(ctx context.Context, stale bool) {
	if h.stale == stale {
		return
	}
	h.stale = stale
	mark := ""
	if stale {
		mark = "1"
	}
	h.tell("", stream.Reason{}, map[string]string{"stale": mark})
	h.flush(ctx)
}

// keepCopy keeps what a store that forgot the stream would have to be told.
func (h *holding) keepCopy(ctx context.Context, rec store.Record) {
	h.mu.Lock()
	c := h.memo.Copy
	h.mu.Unlock()
	if c.Source == rec.Source && c.Priority == rec.Priority && slices.Equal(c.Chain, rec.Chain) && maps.Equal(c.Fields, rec.Fields()) {
		return
	}
	_, fresh, err := h.r.readStream(ctx, rec.Key)
	if err != nil {
		return // the next look finds the same difference
	}
	h.mu.Lock()
	fresh.Vars = h.memo.Copy.Vars
	h.memo.Copy = fresh
	h.mu.Unlock()
	h.keepMemo()
}

// readStream reads a stream's record and what its holders keep of it.
func (r *Runner) readStream(ctx context.Context, key string) (rec store.Record, c store.Copy, err error) {
	err = r.call(ctx, func(ctx context.Context) error {
		if rec, err = r.store.Record(ctx, key); err != nil {
			return err
		}
		c = store.Copy{Source: rec.Source, Chain: rec.Chain, Priority: rec.Priority, Fields: rec.Fields()}
		declared, err := r.store.Declared(ctx, key)
		if err != nil {
			return err
		}
		if by, ok := declared.BySource[rec.Source]; ok {
			c.Announcement = by.Announcement.Encode()
		}
		return nil
	})
	return rec, c, err
}

// offer publishes what the slot offers to the others of its stream, if it is
// not published already, once a child was started: what depends on it must not
// start on the strength of a pre_start that may yet fail. Nothing is not
// published: what an earlier token offered stays until this one has something in
// its place.
func (h *holding) offer(ctx context.Context) {
	if !h.ran {
		return
	}
	vars := maps.Clone(h.ownVars)
	if vars == nil {
		vars = map[string]string{}
	}
	maps.Copy(vars, h.childVars)
	if h.offered == nil && len(vars) == 0 || h.offered != nil && maps.Equal(vars, h.offered) {
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
	h.offered = vars
	h.mu.Lock()
	h.memo.Copy.Vars = vars
	h.mu.Unlock()
	h.keepMemo()
	h.r.hint(ctx, tell)
}

// hint tells the hosts of dependants at once what their revision tells them
// a beat later.
func (r *Runner) hint(ctx context.Context, slots []store.Reservation) {
	for _, v := range slots {
		err := r.call(ctx, func(ctx context.Context) error {
			return r.queue.SlotCommand(ctx, queue.Update, queue.Slot{
				Key: v.Key, Slot: v.Slot, Type: v.Type, Host: v.Host, Token: v.Token,
			})
		})
		if err != nil {
			r.log.Debug().Err(err).Str("stream", v.Key).Str("slot", v.Slot).Msg("the host of a dependant is not told at once")
		}
	}
}

// assert tells a store that does not know it what runs here.
func (h *holding) assert(ctx context.Context) {
	h.mu.Lock()
	c := h.memo.Copy
	h.mu.Unlock()
	v := h.reservation()
	_, term := h.r.lease.until()
	var answer store.Asserted
	var other bool
	err := h.r.call(ctx, func(ctx context.Context) (err error) {
		if answer, err = h.r.store.Assert(ctx, v, h.r.incarnation, c); err != nil || answer.Keep {
			return err
		}
		rec, err := h.r.store.Record(ctx, v.Key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		s := rec.Slots[v.Slot]
		other = s.Host != "" && s.Token != v.Token
		return err
	})
	switch {
	case err != nil:
		h.logger().Warn().Err(err).Msg("the store is not told yet what runs here")
		time.AfterFunc(h.r.o.Beat/2, h.r.lookSoon)
	case !answer.Keep && other:
		h.r.counts.lost.Add(1)
		h.wishEnd(endNow, answer.Reason, 0, true) // two run: no time for a grace
	case !answer.Keep:
		h.wishEnd(endGently, answer.Reason, 0, true)
	default:
		h.confirm(v.Slot, term)
		phase := h.shown
		h.offered, h.saidUp, h.shown = nil, false, unknownPhase
		h.show(phase)
		switch {
		case h.static || h.publisher.well(time.Now(), steadyAfter):
			h.sayUp(ctx)
		case h.publisher.well(time.Now(), 0):
			h.steady = time.After(steadyAfter)
		}
		if answer.State == stream.Stopping {
			h.wishEnd(endGently, stream.Because(stream.CodeUnwanted), 0, false)
		}
	}
}
