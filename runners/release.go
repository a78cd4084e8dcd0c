package runners

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// releasing is how the slot is given back.
type releasing struct {
	elsewhere []string // classes in which there is room, for a slot that is given up here
	refused   bool     // the store took its release for a stale one
	told      bool     // its end is written down, as a job comes after it or is done by it
}

// release gives the slot back. By now nothing of it lives on this host, so
// from the tombstone on the token is spent, whatever becomes of the message.
func (h *holding) release(ctx context.Context) step {
	h.letGo()
	w := h.wished()
	h.enter(PhaseReleasing, w.reason)
	if !h.bury(ctx) || !h.writeEnd(ctx) {
		return nil
	}
	h.r.places.free(h.stype, h.token)
	h.mu.Lock()
	known := !h.memo.Started.IsZero()
	h.memo.Ended, h.memo.Reason = time.Now(), w.reason
	h.mu.Unlock()
	if (w.drop || h.giveBack(ctx)) && known {
		h.keepMemo()
		h.r.ended.Add(1)
	}
	if h.releasing.told && (w.drop || h.releasing.refused) {
		h.r.untold.Store(h.token, true) // so it may not know of the end
	}
	return nil
}

// bury writes the tombstone, however long the disk refuses; false when ctx
// is over before. A token that never had a Go may do without: nothing ran
// under it that could be started twice, and of what this life may still have
// on its way in its name the store takes nothing from the next.
func (h *holding) bury(ctx context.Context) bool {
	for told := false; ; told = true {
		err := h.r.tombstones.Bury(h.token, time.Now())
		if err == nil {
			return true
		}
		if !h.starting.spent {
			h.logger().Warn().Err(err).Msg("its tombstone is not written, but nothing ever ran under this token")
			h.r.tombstones.Remember(h.token, time.Now())
			return true
		}
		if !told {
			reason := stream.Because(stream.CodeNotWrittenDown, "error", err.Error())
			h.logger().Error().Err(err).Msg("the slot cannot be released before its tombstone is written; it is tried again")
			h.tell("", stream.Reason{}, map[string]string{"reason": reason.Wire()})
			h.flush(ctx)
		}
		if !h.pause(ctx, time.Second) {
			return false
		}
	}
}

// giveBack sends the release until it is answered; false when ctx is over
// before, and then the next life sends it.
func (h *holding) giveBack(ctx context.Context) bool {
	o := h.releaseOrder()
	for {
		// To a life that is not registered the store answers that it is
		// stale, whoever has the slot.
		if _, term := h.r.lease.until(); term == 0 {
			if h.wished().drop {
				return true
			}
			if !h.pause(ctx, h.r.o.Beat/4) {
				return false
			}
			continue
		}
		var out store.Released
		err := h.r.call(ctx, func(ctx context.Context) (err error) {
			out, err = h.r.store.Release(ctx, h.reservation(), h.r.incarnation, o)
			return err
		})
		switch {
		case err == nil && out == store.Stays, store.IsHold(err) && o.OnlyIfRoom:
			// Another took the room meanwhile. The child is gone and its
			// token spent, so the slot stands in line again as any other.
			o.OnlyIfRoom, o.Avoid, o.Classes = false, 0, nil
			continue
		case err == nil, errors.Is(err, store.ErrStale):
			// If the store was set back meanwhile it may yet list the slot
			// as ours: the next look finds that and releases it again.
			h.releasing.refused = err != nil
			if len(h.releasing.elsewhere) > 0 && err == nil {
				h.r.counts.gaveUp.Add(1)
			}
			return true
		}
		if h.wished().drop {
			return true
		}
		h.logger().Debug().Err(err).Msg("not released yet")
		if !h.pause(ctx, h.r.o.Beat/4) {
			return false
		}
	}
}

func (h *holding) releaseOrder() store.Release {
	w := h.wished()
	o := store.Release{
		Reason: w.reason, Avoid: w.avoid, OnlyIfRoom: len(h.releasing.elsewhere) > 0, Classes: h.releasing.elsewhere,
		Ran: h.ran(), Failed: h.job.forGood,
	}
	if h.job.is {
		o.Done = h.doneHere()
	}
	return o
}
