package runners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// serve looks after what runs until it is to end or has ended.
func (h *holding) serve(ctx context.Context) step {
	h.greet(ctx)
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
		case <-h.steady:
			h.sayUp(ctx)
		case <-tick.C:
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
		h.started(ctx, 0)
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
		h.childVars = s.Vars
	}
	stillborn := s.Exit != nil && s.Exit.Stillborn() && s.Phase != supervisor.PhaseRunning
	h.mu.Lock()
	h.restarts = h.unstarted + s.Restarts
	if stillborn && s.Phase != supervisor.PhaseStarting {
		h.restarts++
	}
	h.pid = s.Child.PID
	h.mu.Unlock()
	h.slow = s.Pace > 0
	h.publisher.resume(s.Away)
	h.ran = h.ran || s.Last.PID != 0
	// What a life before this one came to say of it is not known.
	h.shown = unknownPhase
	switch {
	case h.slow || stillborn:
		h.show(stream.Failing)
	case h.ran:
		h.show(stream.Runs)
	default:
		h.show(stream.Starting)
	}
	if s.Phase == supervisor.PhaseRunning {
		h.started(ctx, s.Child.PID)
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
		return h.finish, true
	}
	if w.look != nil {
		h.publisher.look(ctx, h, w.look.Away)
		h.restartAsked(ctx, *w.look)
		h.refresh(ctx, *w.look)
		h.offer(ctx)
	}
	return nil, false
}

// lostTouch takes leave of a connection that is over.
func (h *holding) lostTouch(sup *supervisor.Client) {
	end, err := sup.Result(), sup.Err()
	h.letGo()
	if end != nil {
		h.treeGone = true
		h.wishEnd(endGently, endReason(*end), 0, false)
		return
	}
	if errors.Is(err, supervisor.ErrReplaced) {
		h.logger().Error().Err(err).Msg("somebody else connected to this child's supervisor; only one runner may use a state directory")
	}
}

// reconnect looks for the supervisor after the connection was lost. If it is
// gone, so is the child, and the slot is given back.
func (h *holding) reconnect(ctx context.Context) (next step, over bool) {
	gone, err := h.regain(ctx)
	switch {
	case gone:
		reason := stream.Because(stream.CodeSupervisorKill)
		if s, err := supervisor.ReadState(h.r.dir.Slot(h.token)); err == nil && s.End != nil {
			reason = endReason(*s.End)
		}
		h.wishEnd(endGently, reason, 0, false)
		return h.release, true
	case h.supervisor() != nil:
		h.complains = false
		h.takeOver(ctx, h.supervisor())
		return nil, false
	}
	h.complain(err)
	if !h.pause(ctx, 200*time.Millisecond) {
		return nil, true
	}
	return nil, false
}

// complain says once that the supervisor is not reached.
func (h *holding) complain(err error) {
	if !h.complains && err != nil {
		h.complains = true
		h.logger().Warn().Err(err).Msg("the supervisor is not reached; it is tried again")
	}
}

// endReason is why a supervisor ended that nobody told to.
func endReason(e supervisor.End) stream.Reason {
	switch e.Reason {
	case supervisor.EndDeadline:
		return stream.Because(stream.CodeDeadline)
	case supervisor.EndNoGo:
		return stream.Because(stream.CodeNeverStarted)
	case supervisor.EndSignal:
		return stream.Because(stream.CodeSupervisorTerm)
	case supervisor.EndLost:
		return stream.Because(stream.CodeSupervisorKill)
	}
	return stream.Because(stream.CodeSupervisorEnd, "end", e.Reason)
}

// happened takes in what the supervisor tells.
func (h *holding) happened(ctx context.Context, e supervisor.Event) {
	switch e.Kind {
	case supervisor.EventStarted:
		first := !h.ran
		h.started(ctx, e.PID)
		if e.Attempt > 1 {
			h.r.counts.restarts.Add(1)
			event := "restarted"
			if first || h.slow {
				event = ""
			}
			h.tell(event, stream.Reason{}, map[string]string{"restarts": h.restartedAs(e.Attempt - 1)})
		}
		h.flush(ctx)
		h.offer(ctx)
	case supervisor.EventExited:
		h.exited(ctx, *e.Exit, e.Failures, e.Attempt)
	case supervisor.EventFailing:
		h.failing(ctx, e.Failures)
	case supervisor.EventVars:
		h.childVars = e.Vars
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

// started takes in that the child, or what stands for it, is up.
func (h *holding) started(ctx context.Context, pid int) {
	h.mu.Lock()
	h.pid = pid
	fresh := h.result == "" && h.failure == nil
	h.mu.Unlock()
	h.renewing = false
	h.publisher.began(time.Now())
	if !h.ran {
		h.ran = true
		h.enter(PhaseRunning, h.lastReason())
		h.tell("started", stream.Reason{}, nil)
		h.r.counts.starts.Add(1)
		h.r.observe(h)
	}
	if !h.slow {
		h.show(stream.Runs)
	}
	if h.static {
		h.sayUp(ctx)
	} else if !h.saidUp {
		h.steady = time.After(steadyAfter)
	}
	if !fresh {
		return
	}
	text := "started"
	if pid != 0 {
		text = fmt.Sprintf("started: pid %d", pid)
	}
	h.settle(text, nil)
}

// steadyAfter is how long a child must run before the store is told that it
// is up, if it gave no sign of life before: a handover waits for this word,
// and one that ends at once must not take the place of one that is on air.
const steadyAfter = 750 * time.Millisecond

// sayUp says that the slot is on air, once. What a pre_start hook published says
// nothing of it.
func (h *holding) sayUp(ctx context.Context) {
	h.steady = nil
	if h.saidUp || h.renewing || !h.ran {
		return
	}
	h.saidUp = true
	h.tell("", stream.Reason{}, map[string]string{"up": "1"})
	h.flush(ctx)
}

// lastFeed leaves the child as long a deadline as there is: the runner goes.
func (h *holding) lastFeed() {
	sup := h.supervisor()
	if sup == nil {
		return
	}
	h.mu.Lock()
	mode, confirmed := h.mode, h.confirmed
	h.mu.Unlock()
	if deadline, _ := h.r.lease.feed(mode, confirmed); deadline > supervisor.Now() && deadline > sup.Fed() {
		_ = sup.Feed(deadline) // a connection that is over has no use for it
	}
}
