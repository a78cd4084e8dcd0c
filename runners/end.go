package runners

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// finish ends the child and goes on to the release.
func (h *holding) finish(ctx context.Context) step {
	w := h.wished()
	h.enter(PhaseStopping, w.reason)
	if !h.static && !h.treeGone && !h.endTree(ctx, endGently) {
		return nil
	}
	return h.release
}

// endTree returns when nothing of the slot's tree is left and post_stop has
// run; false when ctx is over before. how is the least; a harder wish that
// comes meanwhile is obeyed.
func (h *holding) endTree(ctx context.Context, how ending) bool {
	asked := endNot
	for {
		sup := h.supervisor()
		if sup == nil {
			gone, err := h.regain(ctx)
			if gone {
				return true
			}
			h.complain(err)
			if sup = h.supervisor(); sup == nil {
				if !h.pause(ctx, 200*time.Millisecond) {
					return false
				}
				continue
			}
			asked = endNot
		}
		if how = max(how, h.wished().end); how > asked {
			h.askEnd(ctx, sup, how)
			asked = how
		}
		select {
		case <-sup.Done():
			ended := sup.Result() != nil
			h.letGo()
			if ended {
				return true
			}
		case <-h.wake:
		case <-ctx.Done():
			return false
		}
	}
}

// askEnd sends the request and does not wait for its fulfilment.
func (h *holding) askEnd(ctx context.Context, sup *supervisor.Client, how ending) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var err error
	if how == endNow {
		_, err = sup.End(ctx)
	} else {
		_, err = sup.Stop(ctx)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		h.logger().Debug().Err(err).Msg("asked the supervisor to end")
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

// mopUp makes sure that nothing of a supervisor that is gone lives on.
func mopUp(ctx context.Context, dir string, log zerolog.Logger) (gone bool, err error) {
	err = supervisor.Finish(ctx, dir)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, supervisor.ErrLive) || ctx.Err() != nil:
		return false, err
	}
	found, lookErr := supervisor.Look(dir)
	if lookErr != nil {
		return false, lookErr
	}
	if found.Live || len(found.Leftovers) > 0 {
		return false, err
	}
	// A hook that fails is told, and does not hold the slot back.
	log.Warn().Err(err).Msg("what a killed supervisor left")
	return true, nil
}

// release gives the slot back. By now nothing of it lives on this host, so
// from the tombstone on the token is spent, whatever becomes of the message.
func (h *holding) release(ctx context.Context) step {
	h.letGo()
	w := h.wished()
	h.enter(PhaseReleasing, w.reason)
	if !h.bury(ctx) {
		return nil
	}
	h.r.seats.free(h.stype, h.token)
	h.mu.Lock()
	known := !h.memo.Started.IsZero()
	h.memo.Ended, h.memo.Reason = time.Now(), w.reason
	h.mu.Unlock()
	if (w.drop || h.giveBack(ctx)) && known {
		h.keepMemo()
		h.r.ended.Add(1)
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
		if !h.spent {
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
			h.refused = err != nil
			if len(h.giveUp) > 0 && err == nil {
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
	return store.Release{Reason: w.reason, Avoid: w.avoid, OnlyIfRoom: len(h.giveUp) > 0, Classes: h.giveUp}
}
