package runners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// line is the connection to the slot's supervisor, on which the child is fed.
type line struct {
	sup  *supervisor.Client // nil: none
	mode plan.StoreLoss
	fed  chan struct{} // holds one: the feeder should look again
	lost bool          // that it is not reached was said; of the walking goroutine alone
}

// hold takes a client over: from here on its child is fed.
func (h *holding) hold(sup *supervisor.Client) {
	h.letGo()
	h.mu.Lock()
	h.line.sup = sup
	h.mu.Unlock()
	h.r.feeders.Go(func() { h.feed(sup) })
}

func (h *holding) supervisor() *supervisor.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.line.sup
}

// letGo closes the connection to the supervisor; the child lives on until
// its deadline.
func (h *holding) letGo() {
	h.mu.Lock()
	sup := h.line.sup
	h.line.sup = nil
	h.mu.Unlock()
	if sup != nil {
		if err := sup.Close(); err != nil {
			h.logger().Debug().Err(fmt.Errorf("close the supervisor's socket: %w", err)).Msg("slot")
		}
	}
}

// feed gives the child every new deadline until the connection is over. It
// stands alone, so that no slow call of anybody keeps a deadline back.
func (h *holding) feed(sup *supervisor.Client) {
	var last int64
	for {
		h.mu.Lock()
		mode, confirmed := h.line.mode, h.claimed.term
		h.mu.Unlock()
		deadline, changed := h.r.lease.feed(mode, confirmed)
		if deadline > last && deadline > supervisor.Now() {
			if sup.Feed(deadline) != nil {
				return // the connection is over, which the walking goroutine sees
			}
			last = deadline
		}
		select {
		case <-changed:
		case <-h.line.fed:
		case <-sup.Done():
			return
		}
	}
}

// lastFeed leaves the child as long a deadline as there is: the runner goes.
func (h *holding) lastFeed() {
	sup := h.supervisor()
	if sup == nil {
		return
	}
	h.mu.Lock()
	mode, confirmed := h.line.mode, h.claimed.term
	h.mu.Unlock()
	if deadline, _ := h.r.lease.feed(mode, confirmed); deadline > supervisor.Now() && deadline > sup.Fed() {
		_ = sup.Feed(deadline) // a connection that is over has no use for it
	}
}

// errKeyLost: the memo that had it does not read.
var errKeyLost = errors.New("the key to its supervisor is lost with its memo; it is told to end, and does at its deadline at the latest")

// regain connects to the supervisor again, or finds that it is gone and
// finishes what it could not.
func (h *holding) regain(ctx context.Context) (gone bool, err error) {
	dir := h.r.dir.Slot(h.token)
	live, err := supervisor.Live(dir)
	if err != nil {
		return false, err
	}
	hello := h.hello()
	if live && hello.Key == "" {
		return false, errors.Join(errKeyLost, supervisor.Terminate(dir))
	}
	if live {
		ctx, cancel := context.WithTimeout(ctx, h.r.o.Beat)
		defer cancel()
		sup, err := supervisor.Adopt(ctx, dir, hello)
		if err == nil {
			h.hold(sup)
			return false, nil
		}
		if live, liveErr := supervisor.Live(dir); liveErr != nil || live {
			return false, errors.Join(err, liveErr)
		}
	}
	return mopUp(ctx, dir, *h.logger())
}

// complain says once that the supervisor is not reached.
func (h *holding) complain(err error) {
	if !h.line.lost && err != nil {
		h.line.lost = true
		h.logger().Warn().Err(err).Msg("the supervisor is not reached; it is tried again")
	}
}

// lostTouch takes leave of a connection that is over.
func (h *holding) lostTouch(sup *supervisor.Client) {
	end, err := sup.Result(), sup.Err()
	h.letGo()
	if end != nil {
		h.stopping.gone = true
		reason := endReason(*end)
		if done := h.stopping.done; done != nil {
			reason = doneReason(done.Code)
		}
		h.wishEnd(endGently, reason, 0, false)
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
		h.line.lost = false
		h.takeOver(ctx, h.supervisor())
		return nil, false
	}
	h.complain(err)
	if !h.pause(ctx, 200*time.Millisecond) {
		return nil, true
	}
	return nil, false
}

// endReason is why a supervisor ended that nobody told to.
func endReason(e supervisor.End) stream.Reason {
	switch e.Reason {
	case supervisor.EndDone:
		return stream.Because(stream.CodeDone)
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
