package runners

import (
	"context"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// Looks: the net under all hints, and the least pause between two.
const (
	lookEvery = 30 * time.Second
	lookPause = 50 * time.Millisecond
)

// lookSoon asks for a look at what the store says this host should run.
func (r *Runner) lookSoon() { poke(r.lookNow) }

// watch looks whenever it is asked to, and every 30 s.
func (r *Runner) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.lookNow:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		err := r.look(ctx)
		if err != nil {
			r.log.Debug().Err(err).Msg("what this host should run is not read; it is tried again")
			r.lookSoon()
		}
		timer := time.NewTimer(restAfter(err, time.Since(began), r.o.Beat))
		r.tidy(ctx)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// restAfter is the pause after a look. A host with a thousand slots must not
// keep the store busy, so it rests for longer than it looked. But not for
// longer than a beat, and after a look that failed not for as long: a host that
// was cut off has two beats to hear what it lost.
func restAfter(err error, took, beat time.Duration) time.Duration {
	if err != nil {
		return beat / 4
	}
	return min(max(lookPause, 4*took), beat)
}

// movedAvoid is how long a slot that was moved away is not placed here again:
// long enough to be placed elsewhere, short enough for an operator who wants it
// back, or for want of room elsewhere.
const movedAvoid = 5 * time.Second

// tidyAfter is how many slots may end before old logs are looked through.
const tidyAfter = 50

// tidy removes old logs when many slots have ended since the last time.
func (r *Runner) tidy(ctx context.Context) {
	if r.ended.Load() < tidyAfter {
		return
	}
	r.ended.Store(0)
	if err := r.dir.Prune(ctx, time.Now()); err != nil {
		r.log.Warn().Err(err).Msg("old logs are not removed")
	}
}

// look compares what the store says with what is here and does what follows.
func (r *Runner) look(ctx context.Context) error {
	_, term := r.lease.until()
	if term == 0 {
		return nil // registering asks for a look
	}
	// What is here is written down first: who is missing in what is read
	// after it is truly missing there.
	have := r.inventory()
	var records []store.InstanceRecord
	err := r.call(ctx, func(ctx context.Context) (err error) {
		records, err = r.store.SlotsOf(ctx, r.o.Host)
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range reconcile(records, have, r.tombstones.Has, r.isLeaving()) {
		r.do(a, term)
	}
	if term != r.told {
		r.told = term
		r.tellSoon() // it may be another life of the store, or have lost something
	}
	return r.showStreams(ctx)
}

// do carries one deed out, by leaving it to whom it concerns.
func (r *Runner) do(a action, term int) {
	switch a.Do {
	case claim:
		r.take(a.Record.Reservation)
		return
	case release:
		r.giveBackUnknown(a.Record)
		return
	}
	h := r.find(a.Token)
	if h == nil {
		return // it ended meanwhile
	}
	switch a.Do {
	case stop:
		h.confirm(term)
		h.wishEnd(endGently, orElse(a.Record.Reason, stream.CodeUnwanted), 0, false)
	case move:
		h.confirm(term)
		h.wishEnd(endGently, stream.Because(stream.CodeMovedAway), min(movedAvoid, r.o.Cooldown), false)
	case confirm:
		h.confirm(term)
	case assert:
		h.wish(func(w *wishes) { w.assert = true })
	}
}

func orElse(reason stream.Reason, otherwise stream.Code) stream.Reason {
	if reason.IsZero() {
		return stream.Because(otherwise)
	}
	return reason
}

// showStreams tells each holding how its stream stands.
func (r *Runner) showStreams(ctx context.Context) error {
	byKey := map[string][]*holding{}
	for _, h := range r.all() {
		if !h.held().Ending && !h.job.is {
			key := h.reservation().Key
			byKey[key] = append(byKey[key], h)
		}
	}
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	var records []Seen
	err := r.call(ctx, func(ctx context.Context) error {
		read, err := r.store.Records(ctx, keys)
		if err != nil {
			return err
		}
		records, err = r.seen(ctx, read...)
		return err
	})
	if err != nil {
		return err
	}
	for i := range records {
		for _, h := range byKey[records[i].Key] {
			h.wish(func(w *wishes) { w.look = &records[i] })
		}
	}
	return nil
}

// inventory is what is here, as reconcile sees it.
func (r *Runner) inventory() map[string]held {
	have := map[string]held{}
	for _, h := range r.all() {
		have[h.token] = h.held()
	}
	return have
}
