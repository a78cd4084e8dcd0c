package runners

import (
	"context"
	"maps"
	"math/rand/v2"
	"reflect"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// updating is what was made of the latest change of the stream.
type updating struct {
	values   plan.Values // that were looked at last
	weighed  bool        // and what they mean is settled
	stale    bool        // would be started otherwise now
	answered int64       // the operator's wish for a restart that was fulfilled last

	// An upstream that changes all the time must not restart or signal the child all
	// the time: the first change does at once, each further one by the restart policy.
	latest   Seen
	restarts supervisor.Failures // for changed variables, as the policy remembers them; signals count as well
	last     time.Time           // of these; zero: none
	earliest time.Time           // of the next
	due      <-chan time.Time    // fires then, if one waits
}

// mayDisturb tells whether a changed variable may restart or signal the child now; if
// not, it is looked at again when it may.
func (u *updating) mayDisturb() bool {
	rest := time.Until(u.earliest)
	if rest > 0 {
		u.due = time.After(rest)
	}
	return rest <= 0
}

// disturbed takes note of a restart or a signal for changed variables.
func (u *updating) disturbed(policy supervisor.Restart) {
	now, ran := time.Now(), policy.Within // before the first all was well
	if !u.last.IsZero() {
		ran = now.Sub(u.last)
	}
	var v supervisor.Backoff
	u.restarts, v = policy.Next(u.restarts, supervisor.Ended{Ran: ran}, 0, rand.Float64())
	u.last, u.earliest, u.due = now, now.Add(v.Delay), nil
}

// refresh takes in how the stream stands now. A child is restarted only if
// what it was started with would really be another because of the stream; a
// change of the configuration alone is shown as stale. A value that is
// missing now changes nothing: what was published stays until it is replaced.
func (h *holding) refresh(ctx context.Context, rec Seen) {
	h.keepCopy(ctx, rec.Record)
	h.updating.latest = rec
	if h.service == nil {
		return
	}
	v, at := h.values(rec), h.subject()
	if own, err := h.service.Published(at, v, h.r.o.Lookup); err == nil {
		h.published.own = own
	}
	if h.static || h.updating.weighed && reflect.DeepEqual(h.updating.values, v) {
		return
	}
	h.updating.values, h.updating.weighed = v, false
	h.mu.Lock()
	before := h.memo.Values
	h.mu.Unlock()
	c := h.service.Weigh(at, h.runs, before, v, h.r.o.Lookup)
	switch c.Do {
	case plan.Stays:
		h.showStale(ctx, false)
		h.keepValues(v)
		h.updating.weighed = true
	case plan.Stale:
		h.showStale(ctx, true)
		h.updating.weighed = true
	case plan.Restarts:
		byVars := c.Why.Code == stream.CodeVarsChanged
		if byVars && !h.updating.mayDisturb() {
			return
		}
		h.updating.weighed = h.restart(ctx, c.To, v, c.Why)
		if byVars && h.updating.weighed {
			h.updating.disturbed(h.service.Exec.Restart)
		}
	case plan.Tells:
		if c.Signal != "" && !h.updating.mayDisturb() {
			return
		}
		h.updating.weighed = h.handOver(ctx, c, v)
		if c.Signal != "" && h.updating.weighed {
			h.updating.disturbed(h.service.Exec.Restart)
		}
	}
}

// handOver has the child read what it would be started with now; false if that has to
// be tried again.
func (h *holding) handOver(ctx context.Context, c plan.Change, v plan.Values) bool {
	sup := h.supervisor()
	if sup == nil {
		return false
	}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := sup.Change(within, c.To, c.Signal); err != nil {
		h.logger().Warn().Err(err).Msg("the child is not told what changed yet")
		return false
	}
	h.runs, h.updating.stale = c.To, false
	h.keepValues(v)
	event := ""
	if c.Signal != "" {
		event = "signalled"
	}
	h.logger().Info().Str("state", string(PhaseRunning)).Stringer("reason", c.Why).Str("signal", c.Signal).Msg("the child has what changed")
	h.tell(event, c.Why, map[string]string{"stale": ""})
	h.flush(ctx)
	return true
}

func (h *holding) showStale(ctx context.Context, stale bool) {
	if h.updating.stale == stale {
		return
	}
	h.updating.stale = stale
	mark := ""
	if stale {
		mark = "1"
	}
	h.tell("", stream.Reason{}, map[string]string{"stale": mark})
	h.flush(ctx)
}

// restart has the supervisor start the child anew, gracefully; false if that
// has to be tried again.
func (h *holding) restart(ctx context.Context, wanted supervisor.Exec, v plan.Values, why stream.Reason) bool {
	sup, at := h.supervisor(), h.subject()
	if sup == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := sup.Restart(ctx, wanted)
	if err != nil {
		h.logger().Warn().Err(err).Msg("the child is not started anew yet")
		return false
	}
	h.runs, h.updating.stale = wanted, false
	h.mu.Lock()
	moved := !maps.Equal(h.memo.PlaceVars, at.PlaceVars)
	h.memo.PlaceVars = at.PlaceVars
	h.mu.Unlock()
	if !h.keepValues(v) && moved {
		h.keepMemo()
	}
	h.logger().Info().Str("state", string(PhaseRunning)).Stringer("reason", why).Msg("the child is started anew")
	h.tell("updated", why, map[string]string{"stale": ""})
	h.flush(ctx)
	return true
}

// restartAsked starts the child anew, gracefully, if an operator asked for it
// and this life has not done so yet; it gets the environment it should have
// now. The wish is then taken away in the store, with the word that the child
// is up, so that who waits for the end of the restart waits for that word to
// come back. A runner that dies between the two restarts once more.
func (h *holding) restartAsked(ctx context.Context, rec Seen) {
	asked := h.asked(rec.Record)
	if asked == 0 || asked == h.updating.answered {
		return
	}
	if h.static {
		h.answer(asked) // nothing runs that could be started anew
		h.flush(ctx)
		return
	}
	wanted, v := h.runs, h.values(rec)
	if h.service != nil && h.service.Exec != nil {
		now, err := h.service.Child(h.subject(), v, h.r.o.Lookup)
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
	h.renew()
	h.flush(ctx)
}

// asked is since when the store says that an operator wants this child
// started anew; 0: nobody does.
func (h *holding) asked(rec store.Record) int64 {
	s := rec.Instances[h.reservation().Instance]
	if s.Token != h.token {
		return 0
	}
	return s.Restart
}

// answer takes the operator's wish away.
func (h *holding) answer(asked int64) {
	h.updating.answered = asked
	h.tell("", stream.Reason{}, map[string]string{"restart": ""})
}
