package runners

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// starting is what came of the starts so far.
type starting struct {
	vain  int  // starts that came to nothing before there was a supervisor
	spent bool // a Go may have been given under this token, or what needs none served
}

// outcome is how the start went, for who ordered it.
type outcome struct {
	known  chan struct{} // closed with the first word
	result string        // for people
	err    error
}

// spawnLimit bounds the start of a supervisor on a busy machine. It is below
// the time after which a supervisor without a Go ends by itself.
const spawnLimit = 8 * time.Second

// start starts what was claimed. What cannot be started counts as a
// failure as an exit does, under the same policy.
func (h *holding) start(ctx context.Context) step {
	if h.doneBefore() {
		return h.release
	}
	var past supervisor.Failures
	tries, born := 0, time.Now()
	for {
		switch w := h.taken(); {
		case w.end != endNot:
			return h.release
		case w.assert:
			return h.claim // nothing runs that could be asserted
		}
		h.enter(PhaseStarting, h.lastReason())
		// Once begun it is not broken off: between Start and Go lies the
		// moment in which nobody else knows of the supervisor.
		err := h.begin(context.WithoutCancel(ctx))
		switch {
		case err == nil:
			if tries > 0 {
				h.enter(PhaseStarting, stream.Reason{})
				h.tell("", stream.Reason{}, map[string]string{"reason": ""})
			}
			return h.serve
		case errors.Is(err, errReclaim):
			// The store may agree to the claim at once and still have no stream.
			if !h.rest(ctx, h.r.o.Beat/4) {
				return nil
			}
			return h.claim
		}
		h.settle("", err)
		var v supervisor.Backoff
		past, v = h.policy().Next(past, supervisor.Ended{At: time.Since(born), Counted: true}, 0, rand.Float64())
		tries++
		h.starting.vain = tries
		reason := stream.Because(stream.CodeCannotStart, "error", err.Error())
		h.enter(PhaseStarting, reason)
		h.show(stream.Failing)
		h.tell("start-failed", reason, map[string]string{"reason": reason.Wire(), "restarts": h.restartedAs(0)})
		delay := v.Delay
		if h.job.is && h.service != nil {
			if h.notDone(ctx, err.Error(), 0) {
				return h.release
			}
			delay = h.service.Tries.Pause(h.tried(0))
		} else if v.Failing || h.service == nil {
			helps := h.service == nil
			if !helps {
				helps, _ = h.leaves(ctx, reason) // not known is no reason to leave
			}
			if helps {
				h.wishEnd(endGently, reason, h.r.o.Cooldown, false)
				return h.release
			}
			delay = h.r.o.SlowRetry
		}
		h.flush(ctx)
		if !h.rest(ctx, delay) {
			return nil
		}
	}
}

// rest waits before the next try. It is cut short by an end, or when the
// stream is not what it was at the last one.
func (h *holding) rest(ctx context.Context, d time.Duration) bool {
	until := time.Now().Add(d)
	for {
		left := time.Until(until)
		if left <= 0 {
			return true
		}
		if !h.pause(ctx, left) {
			return false
		}
		h.mu.Lock()
		w, last := h.wishes, h.memo.Values
		h.wishes.look = nil
		h.mu.Unlock()
		if w.end != endNot || w.look != nil && !reflect.DeepEqual(h.values(*w.look), last) {
			return true
		}
	}
}

// policy is how often and how soon a start is tried again.
func (h *holding) policy() supervisor.Restart {
	if h.service != nil && h.service.Exec != nil {
		return h.service.Exec.Restart
	}
	return h.r.o.Retry
}

// begin reads the stream, fills in the templates, writes the memo and starts
// the child. On error nothing of it runs.
func (h *holding) begin(ctx context.Context) error {
	if h.service == nil {
		return fmt.Errorf("this host offers no %s any more", h.stype)
	}
	if h.job.is && h.static {
		return fmt.Errorf("%s is a static service here, and runs nothing that could be done", h.stype)
	}
	v, c, rec, err := h.learn(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errReclaim
	case err != nil:
		return err
	}
	if err := h.sit(); err != nil {
		return err
	}
	at := h.subject()
	h.mu.Lock()
	h.memo.Values = v
	h.mu.Unlock()
	if err := h.begins(at, v, rec); err != nil {
		return err
	}
	if !h.static {
		if h.runs, err = h.service.Child(at, v, h.r.o.Lookup); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.memo.Static, h.memo.Copy, h.memo.Started = h.static, c, time.Now()
	h.mu.Unlock()
	if err := h.writeMemo(); err != nil {
		return err
	}
	if h.static {
		h.starting.spent = true
		return nil
	}
	return h.launch(ctx)
}

// learn reads what is to be known: a slot's of its stream, a job's of its own record.
func (h *holding) learn(ctx context.Context) (v plan.Values, c store.Copy, rec Seen, err error) {
	if h.job.is {
		v, c, err = h.learnJob(ctx)
		return v, c, rec, err
	}
	rec, c, err = h.r.readStream(ctx, h.reservation().Key)
	return h.values(rec), c, rec, err
}

// begins takes in how the stream of a slot stands that begins.
func (h *holding) begins(at plan.Subject, v plan.Values, rec Seen) (err error) {
	if h.job.is {
		return nil
	}
	if h.published.own, err = h.service.Published(at, v, h.r.o.Lookup); err != nil {
		return err
	}
	h.publisher.seen(rec.Away)
	if asked := h.asked(rec.Record); asked != 0 {
		h.answer(asked) // it is being started
	}
	return nil
}

// sit takes the lowest free place.
func (h *holding) sit() error {
	place := h.r.places.take(h.stype, h.token)
	if n := len(h.service.Places); n > 0 && place >= n {
		h.r.places.free(h.stype, h.token)
		return fmt.Errorf("all %d places of %s are taken", n, h.stype)
	}
	h.mu.Lock()
	h.memo.Place, h.memo.PlaceVars = place, h.service.PlaceVars(place)
	h.mu.Unlock()
	return nil
}

// launch starts the supervisor and gives it its Go, which is worth no more
// than the lease in which the slot was claimed.
func (h *holding) launch(ctx context.Context) error {
	h.r.forks <- struct{}{}
	defer func() { <-h.r.forks }()
	ctx, cancel := context.WithTimeout(ctx, spawnLimit)
	defer cancel()
	dir := h.r.dir.Slot(h.token)
	// Of an earlier try that never had a Go. Removing looks through all processes
	// of the machine, so a first try, which has no directory, goes without.
	if _, err := os.Lstat(dir); err == nil {
		if err := supervisor.Remove(ctx, dir); err != nil {
			return err
		}
	}
	sup, err := supervisor.Start(ctx, h.r.o.Self, h.spec(dir), h.hello())
	if err != nil {
		return err
	}
	deadline, term := h.r.lease.until()
	h.mu.Lock()
	confirmed := h.claimed.term
	h.mu.Unlock()
	if term != confirmed {
		err = errReclaim
	} else {
		h.starting.spent = true
		err = sup.Go(ctx, deadline)
	}
	if err == nil {
		h.hold(sup)
		return nil
	}
	// Whether the Go arrived or not, it ends before anything else is tried.
	h.hold(sup)
	h.endTree(context.WithoutCancel(ctx), endNow)
	if errors.Is(err, supervisor.ErrLapsed) {
		return errReclaim
	}
	return err
}

// settle says what became of the start, once.
func (h *holding) settle(result string, failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.outcome.known:
	default:
		h.outcome.result, h.outcome.err = result, failure
		close(h.outcome.known)
	}
}

// came is what settle said.
func (h *holding) came() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outcome.result, h.outcome.err
}
