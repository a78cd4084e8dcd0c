package runners

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// failed is what is known of a child that fails.
type failed struct {
	slow    bool   // kept here though it fails
	retries int    // failures since it is slow
	last    string // of the latest exit
	told    string // the failure that the feed was told of
}

// exited takes in one end of the child that the supervisor goes on from.
func (h *holding) exited(ctx context.Context, e supervisor.Exit, failures, attempt int) {
	h.publisher.ended()
	h.ready.steady, h.ready.waits, h.ready.there = nil, false, false
	switch e.Reason {
	case supervisor.ExitDone:
		h.stopping.done = doneAs(e)
		return // followed by the supervisor's own end
	case supervisor.ExitRestart, supervisor.ExitStopped, supervisor.ExitKilled, supervisor.ExitDeadline:
		return // wanted, or followed by the supervisor's own end
	}
	text := exitText(e)
	h.failed.last = text
	if e.Stillborn() {
		h.settle("", errors.New(text))
		h.tell("", stream.Reason{}, map[string]string{"restarts": h.restartedAs(attempt)})
	}
	if e.Counted {
		h.show(stream.Failing)
	}
	reason := stream.Because(stream.CodeExited, "exit", text)
	switch {
	case !e.Counted:
		reason = stream.Because(stream.CodeExitedAway, "exit", text)
	case failures > 1:
		reason = reason.With("times", strconv.Itoa(failures))
	}
	h.enter(h.stands(), reason)
	event := "exited"
	if h.failed.slow && e.Counted {
		event = "" // stay tells of these, by their number
	}
	h.tell(event, reason, map[string]string{
		"reason": reason.Wire(), "exit": text, "stderr": strings.Join(e.Stderr, "\n"), "speed": "", "fps": "",
	})
	if h.job.is {
		h.notDone(ctx, text, attempt)
	}
	h.flush(ctx)
}

// exitText is an exit in the store's words: "exit 1", "signal SIGKILL", or
// what kept the child from being started.
func exitText(e supervisor.Exit) string {
	switch {
	case e.Reason == supervisor.ExitStalled:
		return "stalled"
	case e.Text != "":
		return e.Text
	case e.Signal != "":
		return "signal " + e.Signal
	}
	return "exit " + strconv.Itoa(e.Code)
}

// failedOften decides what to do about a child that failed as often as its
// policy bears: leave it to another host if that helps, else try it here,
// slowly.
func (h *holding) failedOften(ctx context.Context, failures int) {
	if h.publisher.lenient(time.Now()) {
		return // it went away before the supervisor was told
	}
	reason := stream.Because(stream.CodeFailed, "exit", h.failed.last, "times", strconv.Itoa(failures))
	switch helps, err := h.leaves(ctx, reason); {
	case err != nil:
		h.logger().Debug().Err(err).Msg("whether giving up would help is not known; the next failure asks again")
	case helps:
		h.wishEnd(endGently, reason, h.r.o.Cooldown, false)
	default:
		h.stay(ctx, failures)
	}
}

// leaves tells whether giving the slot up would help. It only asks: the
// release itself asks again, in one step with giving it back, about the classes
// in which there was room.
func (h *holding) leaves(ctx context.Context, reason stream.Reason) (bool, error) {
	v := h.reservation()
	var classes []string
	err := h.r.call(ctx, func(ctx context.Context) (err error) {
		classes, err = h.r.admitting(ctx, v)
		return err
	})
	if err != nil {
		return false, err
	}
	for some := range slices.Chunk(classes, store.MaxClasses) {
		var helps bool
		err := h.r.call(ctx, func(ctx context.Context) (err error) {
			helps, err = h.r.store.Elsewhere(ctx, v, some)
			return err
		})
		if err != nil {
			return false, err
		}
		if helps {
			h.releasing.elsewhere = some
			h.logger().Warn().Str("state", string(h.phaseNow())).Stringer("reason", reason).Msg("given up here: another host has room")
			return true, nil
		}
	}
	return false, nil
}

// stay keeps the slot and slows it down.
func (h *holding) stay(ctx context.Context, failures int) {
	reason := stream.Because(stream.CodeStays, "exit", h.failed.last, "times", strconv.Itoa(failures), "every", h.r.o.SlowRetry.String())
	if sup := h.supervisor(); sup != nil && !h.failed.slow {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := sup.SetPace(ctx, h.r.o.SlowRetry); err != nil {
			h.logger().Debug().Err(err).Msg("the pace is not set")
			return
		}
		h.failed.slow = true
	}
	h.enter(h.stands(), reason)
	h.show(stream.Failing)
	h.tell("", stream.Reason{}, map[string]string{"reason": reason.Wire()})
	h.tellFailing(reason)
	h.flush(ctx)
}

// tellFailing has the feed told of slow retries with their number: of the first,
// then each time they have doubled, and when it fails in another way. What one bad
// slot does every half minute must not push all else out of the feed.
func (h *holding) tellFailing(reason stream.Reason) {
	h.failed.retries++
	if h.failed.retries&(h.failed.retries-1) != 0 && h.failed.last == h.failed.told {
		return
	}
	h.failed.told = h.failed.last
	if h.failed.retries > 1 {
		reason = reason.With("since", strconv.Itoa(h.failed.retries-1))
	}
	h.tell("failing", reason, nil)
}

// recovered takes the pace and the reason back once the child has run well
// for as long as its policy remembers failures.
func (h *holding) recovered(ctx context.Context) {
	if h.static || h.job.is || h.service == nil || h.service.Exec == nil || h.lastReason().IsZero() || h.ready.waits {
		return
	}
	if !h.publisher.well(time.Now(), h.service.Exec.Restart.Within) {
		return
	}
	if sup := h.supervisor(); sup != nil && h.failed.slow {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := sup.SetPace(ctx, 0); err != nil {
			h.logger().Debug().Err(err).Msg("the pace is not set")
			return
		}
		h.failed.slow = false
	}
	h.failed.retries, h.failed.told = 0, ""
	h.enter(PhaseRunning, stream.Reason{})
	h.show(stream.Runs)
	h.tell("recovered", stream.Reason{}, map[string]string{"reason": ""})
}

// restartedAs is how often the child was started again as the store has it: a
// start that came to nothing is one, too.
func (h *holding) restartedAs(n int) string { return strconv.Itoa(h.starting.vain + n) }

// admitting lists the classes of services that may take a stream's slot instead.
func (r *Runner) admitting(ctx context.Context, v store.Reservation) ([]string, error) {
	record, err := r.store.Record(ctx, v.Key)
	if err != nil {
		return nil, err
	}
	host := record.Items[stream.SlotOf(v.Instance)].Host
	if host.Name != "" {
		return nil, nil // it may be nowhere else
	}
	classes, err := r.store.Classes(ctx, v.Type)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id, class := range classes {
		rule, err := class.Compile()
		if err != nil {
			continue // edited into nonsense: its services take nothing
		}
		if _, ok := rule.Admits(v.Key); ok && host.MatchesLabels(rule.Labels()) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
