package runners

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/rs/zerolog"

	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// adopt takes over what an earlier life left: every slot whose memo has no
// end. Whether it is still this host's the store says later; until then what
// lives is fed as its mode allows.
func (r *Runner) adopt() error {
	memos, unread, err := r.dir.Memos()
	if err != nil {
		return err
	}
	for dir, why := range unread {
		r.log.Warn().Err(why).Str("dir", dir).Msg("a slot's memo does not read: nothing can be taken over, so what runs of it is stopped and the slot given back")
	}
	r.unread = unread
	strays, err := r.dir.Strays(memos)
	if err != nil {
		return err
	}
	r.places.resume(memos, func(stype string) []map[string]string {
		if service := r.services[stype]; service != nil {
			return service.Places
		}
		return nil
	})
	for _, m := range memos {
		if m.Ended.IsZero() {
			r.adoptOne(m)
		} else {
			r.tombstones.Remember(m.Reservation.Token, m.Ended) // should these have been lost
		}
	}
	for _, dir := range strays {
		r.holders.Go(func() { r.clear(r.work, dir) })
	}
	return nil
}

// endWhatIsNotOffered stops and releases what was taken over by a host that offers nothing any more. It waits for the
// store, as without it nobody could be given what ends here.
func (r *Runner) endWhatIsNotOffered(ctx context.Context) {
	select {
	case <-r.registered:
	case <-ctx.Done():
		return
	}
	all := r.all()
	if len(all) == 0 {
		return
	}
	r.log.Warn().Str("host", r.o.Host).Int("slots", len(all)).
		Msg("the file offers nothing any more, neither services nor sources: what runs here is stopped and released")
	for _, h := range all {
		h.wishEnd(endGently, stream.Because(stream.CodeOffersNothing), 0, false)
	}
}

func (r *Runner) adoptOne(m statedir.Memo) {
	h := r.newHolding(m.Reservation)
	h.memo, h.claimed.settled, h.starting.spent, h.phase = m, true, true, PhaseRunning
	h.ready.ran, h.report.shown = m.Static, unknownPhase
	h.published.own = m.Copy.Vars // until the stream is looked at
	h.settle("adopted", nil)
	if h.static != m.Static {
		h.service = nil // what it is now called was made otherwise
	}
	h.static = m.Static
	begin := step(h.rejoin)
	switch {
	case r.tombstones.Has(h.token):
		h.wishEnd(endNow, orElse(m.Reason, stream.CodeEarlierLife), 0, false)
		begin = h.stop
	case m.Reservation.Host != r.o.Host:
		// Nobody renews the lease of that name: there is no time for a grace.
		h.wishEnd(endNow, stream.Because(stream.CodeHostRenamed, "host", m.Reservation.Host), 0, true)
		begin = h.stop
	case m.Static && h.service == nil:
		h.wishEnd(endGently, stream.Because(stream.CodeOffersOther), 0, false)
		begin = h.release
	case m.Static:
		begin = h.serve
	}
	r.enter(h, begin)
}

// rejoin connects to the supervisor of an earlier life. If it is gone, so is
// the child: one token is one life, so the slot is given back.
func (h *holding) rejoin(ctx context.Context) step {
	for {
		next, over := h.reconnect(ctx)
		if over {
			return next
		}
		if sup := h.supervisor(); sup != nil {
			if sup.State().Phase == supervisor.PhaseWaiting {
				// The life that started it died before its Go. Nobody gives it
				// one under this token any more, so it would wait in vain.
				h.wishEnd(endNow, stream.Because(stream.CodeNeverStarted), 0, false)
				return h.stop
			}
			if h.service == nil {
				h.mu.Lock()
				h.line.mode = plan.Stop
				if sup.Spec().KeepOnStoreLoss {
					h.line.mode = plan.Keep
				}
				h.mu.Unlock()
				poke(h.line.fed)
			}
			h.logger().Info().Str("state", string(PhaseRunning)).Stringer("reason", stream.Because(stream.CodeAdopted)).Msg("slot")
			return h.serve
		}
		if h.wished().end != endNot {
			return h.stop
		}
	}
}

// clear ends and removes a slot's directory that no memo speaks of.
func (r *Runner) clear(ctx context.Context, dir string) {
	for ctx.Err() == nil {
		// Its key is lost, so it is told by a signal.
		if err := supervisor.Terminate(dir); err != nil {
			r.log.Debug().Err(err).Str("dir", dir).Msg("end a supervisor that nobody knows")
		}
		gone, err := mopUp(ctx, dir, r.log)
		if gone {
			err = supervisor.Remove(ctx, dir)
		}
		if err == nil && gone {
			return
		}
		level := zerolog.WarnLevel
		if errors.Is(err, supervisor.ErrLive) {
			level = zerolog.DebugLevel // its child has its grace
		}
		r.log.WithLevel(level).Err(err).Str("dir", dir).Msg("a slot's directory that nobody knows is not cleared yet")
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// giveBackUnknown gives back what the store counts as this host's and of
// which nothing lives here: claimed and never started, or ended by an
// earlier life that could not say so.
func (r *Runner) giveBackUnknown(s store.InstanceRecord) {
	h := r.newHolding(s.Reservation)
	h.claimed.settled = true
	h.memo.Key = "" // it was in the memo
	h.settle("stale: nothing runs under this token here any more", nil)
	reason := stream.Because(stream.CodeNothingLives)
	if why := r.unread[r.dir.Slot(h.token)]; why != nil {
		reason = stream.Because(stream.CodeNotTakenOver, "error", why.Error())
	}
	h.wishEnd(endNow, reason, 0, false)
	// Its memo may be what was lost: its directory has the last word.
	h.static = false
	r.enter(h, func(context.Context) step {
		// Without a directory no supervisor was ever made, or it ended and was
		// cleared away.
		_, err := os.Lstat(r.dir.Slot(h.token))
		h.starting.spent = !errors.Is(err, fs.ErrNotExist)
		return h.stop
	})
}
