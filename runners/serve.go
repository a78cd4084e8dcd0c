package runners

import (
	"context"
	"strconv"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// serve looks after what runs until it is to end or has ended.
func (h *holding) serve(ctx context.Context) step {
	h.greet(ctx)
	h.watchItems()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		if next, over := h.obey(ctx); over {
			return next
		}
		var events <-chan supervisor.Event
		sup := h.supervisor()
		if sup != nil {
			events = sup.Events()
		} else if !h.static {
			if next, over := h.reconnect(ctx); over {
				return next
			}
			continue
		}
		select {
		case e, ok := <-events:
			if !ok {
				h.lostTouch(sup)
				continue
			}
			h.happened(ctx, e)
		case <-h.wake:
		case <-h.ready.steady:
			h.sayUp(ctx)
		case <-h.published.due:
			h.offer(ctx)
		case <-h.updating.due:
			h.refresh(ctx, h.updating.latest)
		case <-h.items.tick:
			h.tellItems(ctx)
		case <-tick.C:
			h.watchItems()
			h.publisher.tick(ctx, h)
			h.recovered(ctx)
			h.offer(ctx)
			h.flush(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// greet says what is known at the beginning: of a start, or of a child that
// was taken over.
func (h *holding) greet(ctx context.Context) {
	h.enter(h.stands(), h.lastReason())
	if h.static {
		h.started(ctx, 0, false)
	} else if sup := h.supervisor(); sup != nil {
		h.takeOver(ctx, sup)
	}
	h.offer(ctx)
}

// takeOver takes in the state of a supervisor that is connected to anew.
func (h *holding) takeOver(ctx context.Context, sup *supervisor.Client) {
	s := sup.State()
	h.runs = sup.Spec().Exec
	if len(s.Vars) > 0 {
		h.published.child = s.Vars
	}
	stillborn := s.Exit != nil && s.Exit.Stillborn() && s.Phase != supervisor.PhaseRunning
	h.failed.slow = s.Pace > 0
	h.publisher.resume(s.Away)
	h.ready.ran = h.ready.ran || s.Last.PID != 0
	// What a life before this one came to say of it is not known.
	h.report.shown = unknownPhase
	switch {
	case h.failed.slow || stillborn:
		h.show(stream.Failing)
	case h.ready.ran:
		h.show(stream.Runs)
	default:
		h.show(stream.Starting)
	}
	switch {
	case s.Phase == supervisor.PhaseRunning:
		h.cameBack(ctx, s)
	case h.job.is && s.Phase == supervisor.PhasePausing && s.Exit != nil:
		h.failed.last = exitText(*s.Exit)
		h.notDone(ctx, h.failed.last, s.Attempts)
	}
}

// cameBack takes in how far a child has come that runs.
func (h *holding) cameBack(ctx context.Context, s supervisor.State) {
	awaits := h.runs.Ready != nil && s.Ready.IsZero()
	h.ready.there = !s.Ready.IsZero()
	if h.ready.there {
		h.cameUp(ctx)
		if h.lastReason().IsZero() {
			h.tell("", stream.Reason{}, map[string]string{"reason": ""}) // an earlier life may have said that it waits
		}
	}
	h.started(ctx, s.Child.PID, awaits)
	if awaits {
		h.unready(ctx, s.Unready)
	}
}

// obey fulfils wishes. over: next is the next step.
func (h *holding) obey(ctx context.Context) (next step, over bool) {
	w := h.taken()
	if w.assert && w.end == endNot {
		h.assert(ctx)
		w = h.wished()
	}
	if w.end != endNot {
		return h.stop, true
	}
	if w.look != nil {
		h.publisher.look(ctx, h, w.look.Away)
		h.restartAsked(ctx, *w.look)
		h.refresh(ctx, *w.look)
		h.offer(ctx)
	}
	return nil, false
}

// happened takes in what the supervisor tells.
func (h *holding) happened(ctx context.Context, e supervisor.Event) {
	switch e.Kind {
	case supervisor.EventStarted:
		first := !h.ready.ran
		h.started(ctx, e.PID, h.runs.Ready != nil)
		if h.job.is {
			h.tell("", stream.Reason{}, map[string]string{"tries": strconv.Itoa(h.tried(e.Attempt))})
		}
		if e.Attempt > 1 {
			h.r.counts.restarts.Add(1)
			event := "restarted"
			if first || h.failed.slow {
				event = ""
			}
			h.tell(event, stream.Reason{}, map[string]string{"restarts": h.restartedAs(e.Attempt - 1)})
		}
		h.flush(ctx)
		h.offer(ctx)
	case supervisor.EventReady:
		h.cameUp(ctx)
	case supervisor.EventUnready:
		h.unready(ctx, e.Text)
	case supervisor.EventExited:
		h.exited(ctx, *e.Exit, e.Failures, e.Attempt)
	case supervisor.EventFailing:
		h.failedOften(ctx, e.Failures)
	case supervisor.EventVars:
		h.published.child = e.Vars
		h.offer(ctx)
		h.sayUp(ctx)
	case supervisor.EventProgress:
		h.progress(*e.Progress)
		h.sayUp(ctx)
	case supervisor.EventWarning:
		h.logger().Warn().Str("state", string(PhaseRunning)).Stringer("reason", stream.Because(stream.CodeWarning, "text", e.Text)).Msg("slot")
	case supervisor.EventStalled:
		h.logger().Warn().Str("state", string(PhaseRunning)).Stringer("reason", stream.Because(stream.CodeStalled, "text", e.Text)).Msg("slot")
	}
}

// progress keeps the latest speed for the next report.
func (h *holding) progress(p supervisor.Progress) {
	h.tell("", stream.Reason{}, map[string]string{
		"speed": strconv.FormatFloat(p.Speed, 'f', 2, 64),
		"fps":   strconv.FormatFloat(p.FPS, 'f', 1, 64),
	})
}
