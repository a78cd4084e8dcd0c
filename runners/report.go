package runners

import (
	"context"
	"errors"
	"maps"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// report is what the store is told of the slot.
type report struct {
	unsaid store.Observation
	shown  stream.Phase // as the store has it
}

// reportEvery bounds how often one slot's speed is written to the store, and
// how soon what could not be written is tried again.
const reportEvery = 5 * time.Second

// tell adds to what the store is to be told of the slot; flush sends it. An
// event that is followed by another before it was sent is lost: what counts
// is the latest.
func (h *holding) tell(event string, why stream.Reason, fields map[string]string) {
	if h.report.unsaid.Fields == nil {
		h.report.unsaid.Fields = map[string]string{}
	}
	maps.Copy(h.report.unsaid.Fields, fields)
	if event != "" {
		h.report.unsaid.Event, h.report.unsaid.Reason = event, why
	}
}

// flush sends what tell collected. Without the store it is kept for later.
func (h *holding) flush(ctx context.Context) {
	if len(h.report.unsaid.Fields) == 0 && h.report.unsaid.Event == "" {
		return
	}
	err := h.r.call(ctx, func(ctx context.Context) error {
		return h.r.store.Report(ctx, h.reservation(), h.r.incarnation, h.report.unsaid)
	})
	switch {
	case err == nil:
		h.report.unsaid = store.Observation{}
	case errors.Is(err, store.ErrStale):
		h.report.unsaid = store.Observation{}
		h.r.lookSoon()
	default:
		h.logger().Debug().Err(err).Msg("not reported yet")
	}
}

// unknownPhase is what no store has: the next word on it is news.
const unknownPhase stream.Phase = "?"

// show says where the child of a running slot stands, if that is news.
func (h *holding) show(p stream.Phase) {
	if h.report.shown == p {
		return
	}
	h.report.shown = p
	h.tell("", stream.Reason{}, map[string]string{"phase": string(p)})
}
