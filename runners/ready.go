package runners

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"stream-api/stream"
)

// ready is how far the child has come since it was last started.
type ready struct {
	ran      bool      // a child was started under this token, or it is static
	counted  bool      // how long it took until others could build on it
	waits    bool      // for the output of the child that runs now
	there    bool      // that output, where there is a way to find it out
	said     bool      // the store was told that it is up
	renewing bool      // it is being started anew, so that it is not up
	since    time.Time // others may build on it
	steady   <-chan time.Time
	before   stream.Reason // what was to be said before it began to wait
}

// steadyAfter is how long a child must run before the store is told that it
// is up, if it gave no sign of life before: a handover waits for this word,
// and one that ends at once must not take the place of one that is on air.
const steadyAfter = 750 * time.Millisecond

// started takes in that the child, or what stands for it, runs. awaits tells that
// it is not ready before its output is there, which its supervisor finds out.
func (h *holding) started(ctx context.Context, pid int, awaits bool) {
	h.ready.renewing = false
	h.publisher.began(time.Now())
	if !h.ready.ran {
		h.ready.ran = true
		h.enter(PhaseRunning, h.lastReason())
		ran := map[string]string{"ran": "1"}
		if h.static {
			ran = nil // there is no child that could end
		}
		h.tell("started", stream.Reason{}, ran)
		h.r.counts.starts.Add(1)
	}
	text := "started"
	if pid != 0 {
		text = fmt.Sprintf("started: pid %d", pid)
	}
	h.settle(text, nil)
	if awaits {
		h.await()
		return
	}
	h.up(ctx)
}

// up takes in that others may build on the child.
func (h *holding) up(ctx context.Context) {
	h.ready.since = time.Now()
	if !h.ready.counted {
		h.ready.counted = true
		h.r.observe(h)
	}
	if !h.failed.slow {
		h.show(stream.Runs)
	}
	if h.static {
		h.sayUp(ctx)
	} else if !h.ready.said {
		h.ready.steady = time.After(steadyAfter)
	}
}

// await says that the child runs and that its output is not there yet. The store is
// not told that it is up before; what it was told of a child before this one it takes
// back.
func (h *holding) await() {
	h.ready.waits, h.ready.said, h.ready.steady = true, false, nil
	if last := h.lastReason(); last.Code != stream.CodeUnready {
		h.ready.before = last
	}
	if !h.failed.slow {
		h.show(stream.Unready)
	}
	h.tell("", stream.Reason{}, map[string]string{"up": ""})
}

// unready says why the output is not there.
func (h *holding) unready(ctx context.Context, what string) {
	if !h.ready.waits {
		return
	}
	reason := stream.Because(stream.CodeUnready, "what", what, "limit", h.runs.Ready.Timeout.String()).After(h.ready.before)
	h.enter(PhaseRunning, reason)
	h.tell("", stream.Reason{}, map[string]string{"reason": reason.Wire()})
	h.flush(ctx)
}

// cameUp takes in that the output is there: from now on the slot is up.
func (h *holding) cameUp(ctx context.Context) {
	if !h.ready.waits {
		return
	}
	h.ready.waits, h.ready.there = false, true
	h.up(ctx)
	h.enter(PhaseRunning, h.ready.before)
	h.tell("ready", stream.Reason{}, map[string]string{"reason": h.ready.before.Wire()})
	h.sayUp(ctx)
	h.offer(ctx)
}

// sayUp says that the slot is on air, once. What a pre_start hook published says
// nothing of it.
func (h *holding) sayUp(ctx context.Context) {
	h.ready.steady = nil
	if h.ready.said || h.ready.renewing || !h.isReady() {
		return
	}
	h.ready.said = true
	ago := max(time.Since(h.ready.since).Milliseconds(), 1) // of what was adopted: ages
	h.tell("", stream.Reason{}, map[string]string{"up": strconv.FormatInt(ago, 10)})
	h.flush(ctx)
}

// retell has a store that forgot the slot told anew how far it has come.
func (h *holding) retell(ctx context.Context) {
	phase := h.report.shown
	h.published.last, h.ready.said, h.report.shown = nil, false, unknownPhase
	h.show(phase)
	switch {
	case h.static || h.publisher.well(time.Now(), steadyAfter):
		h.sayUp(ctx)
	case h.publisher.well(time.Now(), 0):
		h.ready.steady = time.After(steadyAfter)
	}
}

// renew takes the word back that the slot is on air, until it is started anew.
func (h *holding) renew() {
	h.ready.renewing, h.ready.said, h.ready.steady = true, false, nil
	h.tell("", stream.Reason{}, map[string]string{"up": ""})
}

// isReady tells whether the others may have what it publishes: once a child was
// started, and its output is there if its service says how that is found out. What
// depends on it must not start on the strength of a pre_start that may yet fail.
func (h *holding) isReady() bool { return h.ready.ran && (h.runs.Ready == nil || h.ready.there) }

// stands is the phase of what is served: whether a child was started at all.
func (h *holding) stands() Phase {
	if h.ready.ran {
		return PhaseRunning
	}
	return PhaseStarting
}
