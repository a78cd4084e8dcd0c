package runners

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// reportEvery bounds how often one slot's speed is written to the store, and
// how soon what could not be written is tried again.
const reportEvery = 5 * time.Second

// tell adds to what the store is to be told of the slot; flush sends it. An
// event that is followed by another before it was sent is lost: what counts
// is the latest.
func (h *holding) tell(event string, why stream.Reason, fields map[string]string) {
	if h.unsaid.Fields == nil {
		h.unsaid.Fields = map[string]string{}
	}
	maps.Copy(h.unsaid.Fields, fields)
	if event != "" {
		h.unsaid.Event, h.unsaid.Reason = event, why
	}
}

// flush sends what tell collected. Without the store it is kept for later.
func (h *holding) flush(ctx context.Context) {
	if len(h.unsaid.Fields) == 0 && h.unsaid.Event == "" {
		return
	}
	err := h.r.call(ctx, func(ctx context.Context) error {
		return h.r.store.Report(ctx, h.reservation(), h.r.incarnation, h.unsaid)
	})
	switch {
	case err == nil:
		h.unsaid = store.Observation{}
	case errors.Is(err, store.ErrStale):
		h.unsaid = store.Observation{}
		h.r.lookSoon()
	default:
		h.logger().Debug().Err(err).Msg("not reported yet")
	}
}

// exited takes in one end of the child that the supervisor goes on from.
func (h *holding) exited(ctx context.Context, e supervisor.Exit, failures, attempt int) {
	h.mu.Lock()
	h.pid = 0
	h.mu.Unlock()
	h.publisher.ended()
	h.steady = nil
	switch e.Reason {
	case supervisor.ExitRestart, supervisor.ExitStopped, supervisor.ExitKilled, supervisor.ExitDeadline:
		return // wanted, or followed by the supervisor's own end
	}
	text := exitText(e)
	h.lastText = text
	if e.Stillborn() {
		h.settle("", errors.New(text))
		h.tell("", stream.Reason{}, map[string]string{"restarts": h.restartedAs(attempt)})
	}
	if e.Counted {
		h.show(stream.Failing)
	}
	reason := stream.Because(stream.CodeExited, "exit", text)
	switch {
	case !e.Counted:
		reason = stream.Because(stream.CodeExitedAway, "exit", text)
	case failures > 1:
		reason = reason.With("times", strconv.Itoa(failures))
	}
	h.enter(h.stands(), reason)
	event := "exited"
	if h.slow && e.Counted {
		event = "" // stay tells of these, by their number
	}
	h.tell(event, reason, map[string]string{
		"reason": reason.Wire(), "exit": text, "stderr": strings.Join(e.Stderr, "\n"), "speed": "", "fps": "",
	})
	h.flush(ctx)
}

// stands is the phase of what is served: whether a child was started at all.
func (h *holding) stands() Phase {
	if h.ran {
		return PhaseRunning
	}
	return PhaseStarting
}

// restartedAs takes in how often the child was started again, a start that came
// to nothing included, and gives it as the store has it.
func (h *holding) restartedAs(n int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.restarts = h.unstarted + n
	return strconv.Itoa(h.restarts)
}

// unknownPhase is what no store has: the next word on it is news.
const unknownPhase stream.Phase = "?"

// show says where the child of a running slot stands, if that is news.
func (h *holding) show(p stream.Phase) {
	if h.shown == p {
		return
	}
	h.shown = p
	h.tell("", stream.Reason{}, map[string]string{"phase": string(p)})
}

// exitText is an exit in the store's words: "exit 1", "signal SIGKILL", or
// what kept the child from being started.
func exitText(e supervisor.Exit) string {
	switch {
	case e.Reason == supervisor.ExitStalled:
		return "stalled"
	case e.Text != "":
		return e.Text
	case e.Signal != "":
		return "signal " + e.Signal
	}
	return "exit " + strconv.Itoa(e.Code)
}

// progress keeps the latest speed for the next report.
func (h *holding) progress(p supervisor.Progress) {
	h.tell("", stream.Reason{}, map[string]string{
		"speed": strconv.FormatFloat(p.Speed, 'f', 2, 64),
		"fps":   strconv.FormatFloat(p.FPS, 'f', 1, 64),
	})
}
