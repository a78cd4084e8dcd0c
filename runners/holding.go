package runners

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/rs/zerolog"

	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// Phase is where this host stands with a slot it was given. Its life:
// claiming → starting → running → stopping → releasing; claiming may be
// followed by the end at once, and adopted slots begin with running.
type Phase string

// The phases.
const (
	PhaseClaiming  Phase = "claiming"
	PhaseStarting  Phase = "starting" // or waits to be tried again
	PhaseRunning   Phase = "running"
	PhaseStopping  Phase = "stopping"
	PhaseReleasing Phase = "releasing" // nothing of it lives here any more
)

// holding is what this host has under one token, from the order to start it
// to its release. One goroutine walks through its life from station to station;
// everyone else only leaves wishes and wakes it up. What a station has to
// remember is a struct in its own file.
type holding struct {
	r       *Runner
	token   string
	stype   string
	service *plan.Service // nil: not offered by this host (any more)
	static  bool
	wake    chan struct{} // holds one
	gone    chan struct{} // closed when the life is over

	writing sync.Mutex // of the memo

	// What others look at, too.
	mu      sync.Mutex
	res     store.Reservation
	log     zerolog.Logger // bears its names
	phase   Phase
	reason  stream.Reason // of the phase
	wishes  wishes
	memo    statedir.Memo
	line    line
	claimed claimed
	outcome outcome

	// Of the walking goroutine alone.
	runs      supervisor.Exec // what the child was last started with
	publisher publisher
	starting  starting
	ready     ready
	published published
	failed    failed
	updating  updating
	job       job
	items     items
	stopping  stopping
	releasing releasing
	report    report
}

// step is one station of a life, or a part of it; it returns the next, nil at the end.
type step func(ctx context.Context) step

func (r *Runner) newHolding(v store.Reservation) *holding {
	service := r.services[v.Type]
	h := &holding{
		r: r, token: v.Token, stype: v.Type, service: service, static: service != nil && service.Exec == nil,
		wake: make(chan struct{}, 1), gone: make(chan struct{}),
		res: v, log: named(r.o.Log, v), phase: PhaseClaiming, memo: statedir.Memo{Reservation: v, Key: rand.Text()},
		line:    line{mode: r.o.OnStoreLoss, fed: make(chan struct{}, 1)},
		outcome: outcome{known: make(chan struct{})},
		report:  report{shown: stream.Starting},
	}
	h.job.is = stream.IsJob(v.Instance)
	if service != nil {
		h.line.mode = service.OnStoreLoss
	}
	return h
}

// live walks through the life. Whatever way it ends, nothing of it is left
// with the runner; but what the runner detaches from is fed until Run lets go.
func (h *holding) live(ctx context.Context, begin step) {
	defer close(h.gone)
	for next := begin; next != nil; {
		next = next(ctx)
	}
	h.settle("ended", nil)
	if ctx.Err() != nil {
		return
	}
	h.letGo()
	h.r.places.free(h.stype, h.token)
}

// enter begins a phase and says so, in the one line of log that a change of
// state has.
func (h *holding) enter(p Phase, reason stream.Reason) {
	h.mu.Lock()
	same := h.phase == p && h.reason.Is(reason)
	h.phase, h.reason = p, reason
	h.mu.Unlock()
	if !same {
		h.logger().Info().Str("state", string(p)).Stringer("reason", reason).Msg("slot")
	}
}

func (h *holding) phaseNow() Phase {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase
}

func (h *holding) lastReason() stream.Reason {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reason
}

// held is the holding as reconcile sees it.
func (h *holding) held() held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return held{
		Reservation: h.res, Settled: h.claimed.settled,
		Ending: h.phase == PhaseStopping || h.phase == PhaseReleasing || h.wishes.end != endNot,
	}
}
