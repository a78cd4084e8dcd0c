package runners

import (
	"context"
	"strconv"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// job is what is known of a job: what is done once a child of another slot has ended. It
// publishes nothing and leads nothing, and what becomes of its stream does not concern it.
type job struct {
	is      bool
	forGood bool // it has failed: it is not tried again
}

// longPause is the longest that a job keeps its place while it waits for its next try.
const longPause = 30 * time.Second

// learnJob reads what a job is to know: it is in its own record.
func (h *holding) learnJob(ctx context.Context) (v plan.Values, c store.Copy, err error) {
	at := h.reservation()
	var rec store.Job
	err = h.r.call(ctx, func(ctx context.Context) (err error) {
		if rec, err = h.r.store.ReadJob(ctx, at.Key, at.Instance); err == nil {
			c.Items, err = h.r.store.ItemsOf(ctx, at.Key)
		}
		return err
	})
	if err != nil {
		return v, c, err
	}
	c.Fields = rec.Job.Fields(rec.Only)
	h.mu.Lock()
	h.memo.Tries = rec.Job.Tries
	h.mu.Unlock()
	return plan.Values{Vars: rec.Job.Stream, Origin: rec.Job.Source, Of: rec.Job.Of, Own: rec.Job.Vars}, c, nil
}

// tried is how often the job began, over all of its tokens.
func (h *holding) tried(attempt int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memo.Tries + h.starting.vain + attempt
}

// notDone decides what follows a try of a job after which it is not done: one more here,
// one more after a pause in which others have its place, or none.
func (h *holding) notDone(ctx context.Context, exit string, attempt int) (over bool) {
	if h.service == nil {
		return false
	}
	n, most := h.tried(attempt), h.service.Tries.Max
	h.tell("", stream.Reason{}, map[string]string{"tries": strconv.Itoa(n)})
	pause := h.service.Tries.Pause(n)
	reason := stream.Because(stream.CodeTries, "n", strconv.Itoa(n), "max", strconv.Itoa(most), "exit", exit)
	switch {
	case n >= most:
		h.job.forGood, pause = true, 0
		reason = stream.Because(stream.CodeJobFailed, "n", strconv.Itoa(n), "exit", exit)
	case pause <= longPause:
		h.tell("", stream.Reason{}, map[string]string{"reason": reason.Wire()})
		h.flush(ctx)
		return false
	default:
		reason = reason.With("pause", pause.String())
	}
	h.flush(ctx)
	h.wishEnd(endGently, reason, pause, false)
	return true
}

// ran tells whether a child ran under this token, in whichever life of this host.
func (h *holding) ran() bool {
	if h.static || h.ready.ran {
		return !h.static
	}
	s, err := supervisor.ReadState(h.r.dir.Slot(h.token))
	return err == nil && s.Last.PID != 0
}

// doneHere is how the child ended that is done; nil: it is not. What its supervisor wrote
// down counts whoever is asked: it was written before anything could be told.
func (h *holding) doneHere() *store.Done {
	if h.stopping.done != nil {
		return h.stopping.done
	}
	if h.static {
		return nil
	}
	s, err := supervisor.ReadState(h.r.dir.Slot(h.token))
	if err != nil || s.Done() == nil {
		return nil
	}
	return doneAs(*s.Done())
}

func doneAs(e supervisor.Exit) *store.Done {
	return &store.Done{Code: e.Code, Began: e.At.Add(-e.Ran), Ended: e.At}
}

// doneBefore tells whether the job was done here under another token, whose release did not
// come to the store: it is not run again.
func (h *holding) doneBefore() bool {
	if !h.job.is {
		return false
	}
	v := h.reservation()
	done, ok := h.r.ends.Done(v.Key, v.Instance)
	if ok {
		h.stopping.done = &done
		h.wishEnd(endGently, doneReason(done.Code), 0, false)
	}
	return ok
}

func doneReason(code int) stream.Reason {
	return stream.Because(stream.CodeDone, "code", strconv.Itoa(code))
}
