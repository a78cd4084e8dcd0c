package runners

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// claimed is what the store said of the claim.
type claimed struct {
	settled bool // it answered, or knew of the slot before this life
	term    int  // of the lease, in which it last said that the slot is ours
}

// errReclaim: the claim may not hold any more; it has to be asked for anew.
var errReclaim = errors.New("the lease changed meanwhile")

// claim asks the store for the slot until it has an answer.
func (h *holding) claim(ctx context.Context) step {
	var gone *store.StaleClaim
	for {
		w := h.taken()
		if w.end != endNot {
			return h.release
		}
		_, term := h.r.lease.until()
		err := h.r.claimCall(ctx, h.reservation())
		wait := h.r.o.Beat / 4
		switch {
		case err == nil:
			h.confirm(term)
			h.claimGranted()
			return h.start
		case errors.As(err, &gone):
			h.settle(err.Error(), nil) // it begins with what was claimed and says stale
			h.wishEnd(endGently, gone.Reason, 0, true)
			return h.release
		case store.IsHold(err):
			h.settle(err.Error()+"; the host goes on asking", nil)
			wait = min(wait, 250*time.Millisecond)
		}
		h.claimRefused(ctx, err)
		h.logger().Debug().Err(err).Msg("not claimed yet")
		if !h.pause(ctx, wait) {
			return nil
		}
	}
}

// claimRefused has it known that Redis refuses the claim, where it can be told:
// as the slot's reason, in the log, to whoever looks at the command in asynqmon.
// Asking goes on, so that all recovers when Redis may.
func (h *holding) claimRefused(ctx context.Context, err error) {
	r, refused := store.RefusalOf(err)
	if !refused {
		return
	}
	reason := stream.Because(stream.CodeClaimRefused, "answer", r.String())
	h.settle(reason.String()+"; the host goes on asking", nil)
	if reason.Is(h.lastReason()) {
		return
	}
	h.mu.Lock()
	h.reason = reason
	h.mu.Unlock()
	h.logger().Warn().Str("state", string(PhaseClaiming)).Stringer("reason", reason).Msg("slot")
	h.tell("refused", reason, map[string]string{"reason": reason.Wire()})
	h.flush(ctx)
}

// claimGranted takes the reason of a claim that was refused before back.
func (h *holding) claimGranted() {
	h.mu.Lock()
	was := h.reason
	h.reason = stream.Reason{}
	h.mu.Unlock()
	if !was.IsZero() {
		h.tell("", stream.Reason{}, map[string]string{"reason": ""})
	}
}

// confirm takes in that in this term of the lease the store counts the slot as
// ours.
func (h *holding) confirm(term int) {
	h.mu.Lock()
	h.claimed.term = max(h.claimed.term, term)
	h.claimed.settled = true
	h.mu.Unlock()
	poke(h.line.fed)
}

// assert tells a store that does not know it what runs here.
func (h *holding) assert(ctx context.Context) {
	h.mu.Lock()
	c := h.memo.Copy
	c.Number = h.memo.Values.Copy
	h.mu.Unlock()
	c.Ran = h.ran()
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
		for _, s := range rec.Of(stream.SlotOf(v.Instance)) {
			other = other || s.Host != "" && s.Token != v.Token
		}
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
		h.confirm(term)
		h.retell(ctx)
		if answer.State == stream.Stopping {
			h.wishEnd(endGently, stream.Because(stream.CodeUnwanted), 0, false)
		}
	}
}
