package runners

import (
	"context"

	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// restartAsked starts the child anew, gracefully, if an operator asked for it
// and this life has not done so yet; it gets the environment it should have
// now. The wish is then taken away in the store, with the word that the child
// is up, so that who waits for the end of the restart waits for that word to
// come back. A runner that dies between the two restarts once more.
func (h *holding) restartAsked(ctx context.Context, rec store.Record) {
	asked := h.asked(rec)
	if asked == 0 || asked == h.answered {
		return
	}
	if h.static {
		h.answer(asked) // nothing runs that could be started anew
		h.flush(ctx)
		return
	}
	wanted, v := h.runs, ValuesOf(rec)
	if h.service != nil && h.service.Exec != nil {
		now, err := h.service.Exec.Resolve(h.subject(), v, h.r.o.Lookup)
		if err == nil {
			wanted = now
		} else {
			v = h.startedWith() // a value is missing now: as it was is better than not at all
			wanted.Rules = h.service.Exec.Rules
		}
	}
	if !h.restart(ctx, wanted, v, stream.Because(stream.CodeAsked)) {
		return // the next look tries again
	}
	h.answer(asked)
	h.renewing, h.saidUp, h.steady = true, false, nil
	h.tell("", stream.Reason{}, map[string]string{"up": ""})
	h.flush(ctx)
}

// asked is since when the store says that an operator wants this child
// started anew; 0: nobody does.
func (h *holding) asked(rec store.Record) int64 {
	s := rec.Slots[h.reservation().Slot]
	if s.Token != h.token {
		return 0
	}
	return s.Restart
}

// answer takes the operator's wish away.
func (h *holding) answer(asked int64) {
	h.answered = asked
	h.tell("", stream.Reason{}, map[string]string{"restart": ""})
}

// startedWith are the values the child was started with.
func (h *holding) startedWith() plan.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memo.Values
}
