package runners

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

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
// to its release. One goroutine walks through its life by steps; everyone
// else only leaves wishes and wakes it up.
type holding struct {
	r       *Runner
	token   string
	stype   string
	service *plan.Service // nil: not offered by this host (any more)
	static  bool
	wake    chan struct{} // holds one
	fed     chan struct{} // holds one: the feeder should look again
	gone    chan struct{} // closed when the life is over
	first   chan struct{} // closed when the outcome of the start is known

	writing   sync.Mutex // of the memo
	mu        sync.Mutex
	res       store.Reservation // its Slot changes with a handover
	log       zerolog.Logger    // bears its names
	phase     Phase
	since     time.Time // of the phase
	settled   bool      // the store answered the claim, or knew of it before this life
	confirmed int       // term of the lease in which the store last said that it is ours
	mode      plan.StoreLoss
	wishes    wishes
	memo      statedir.Memo
	sup       *supervisor.Client
	pid       int
	restarts  int
	reason    stream.Reason
	result    string // of the start, for people
	failure   error

	// Of the walking goroutine alone.
	runs       supervisor.Exec // what the child was last started with
	childVars  map[string]string
	ownVars    map[string]string
	offered    map[string]string // published last; nil: not known
	unsaid     store.Observation
	publisher  publisher
	lastValues plan.Values  // that were looked at last
	weighed    bool         // and what they mean is settled
	slow       bool         // kept here though it fails
	retries    int          // failures since it is slow
	toldText   string       // the failure that the feed was told of
	stale      bool         // would be started otherwise now
	ran        bool         // a child was started under this token, or it is static
	shown      stream.Phase // as the store has it
	unstarted  int          // starts that came to nothing before there was a supervisor
	saidUp     bool         // the store was told that it is up
	renewing   bool         // it is being started anew, so that it is not up
	answered   int64        // the operator's wish for a restart that was fulfilled last
	steady     <-chan time.Time
	treeGone   bool   // the supervisor said so
	spent      bool   // a Go may have been given under this token, or what needs none served
	refused    bool   // the store took its release for a stale one
	complains  bool   // that the supervisor is not reached
	lastText   string // of the latest exit
	giveUp     []string
}

// wishes are what others want of a holding.
type wishes struct {
	end    ending
	reason stream.Reason // of the end
	avoid  time.Duration // this host afterwards
	drop   bool          // it is not ours any more: there is nothing to release
	assert bool
	look   *store.Record // how the stream stands now
}

type ending int

const (
	endNot    ending = iota
	endGently        // stop signal, grace, KILL
	endNow           // KILL
)

// step is one part of a life; it returns the next, nil at the end.
type step func(ctx context.Context) step

func (r *Runner) newHolding(v store.Reservation) *holding {
	service := r.services[v.Type]
	h := &holding{
		r: r, token: v.Token, stype: v.Type, service: service, static: service != nil && service.Exec == nil,
		log:  named(r.o.Log, v),
		wake: make(chan struct{}, 1), fed: make(chan struct{}, 1), gone: make(chan struct{}), first: make(chan struct{}),
		res: v, phase: PhaseClaiming, since: time.Now(), mode: r.o.OnStoreLoss, memo: statedir.Memo{Reservation: v, Key: rand.Text()}, shown: stream.Starting,
	}
	if service != nil {
		h.mode = service.OnStoreLoss
	}
	return h
}

// named gives a log the fields that every line about a slot has.
func named(log zerolog.Logger, v store.Reservation) zerolog.Logger {
	return log.With().Str("stream", v.Key).Str("slot", v.Slot).Str("host", v.Host).Str("token", v.Token).Logger()
}

func (h *holding) logger() *zerolog.Logger {
	h.mu.Lock()
	defer h.mu.Unlock()
	log := h.log
	return &log
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
	h.r.seats.free(h.stype, h.token)
}

// wish leaves a wish.
func (h *holding) wish(change func(*wishes)) {
	h.mu.Lock()
	change(&h.wishes)
	h.mu.Unlock()
	poke(h.wake)
}

// wishEnd wishes for an end. A harder one overrules a gentler one, and that
// the slot is lost overrules that it is to be released.
func (h *holding) wishEnd(how ending, reason stream.Reason, avoid time.Duration, drop bool) {
	h.wish(func(w *wishes) {
		if w.end == endNot {
			w.reason, w.avoid = reason, avoid
		}
		w.end = max(w.end, how)
		w.drop = w.drop || drop
	})
}

// taken returns the wishes and fulfils those that are for once.
func (h *holding) taken() wishes {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.wishes
	h.wishes.assert, h.wishes.look = false, nil
	return w
}

func (h *holding) wished() wishes {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wishes
}

// pause waits for d or to be woken; false when ctx is over.
func (h *holding) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// enter begins a phase and says so, in the one line of log that a change of
// state has.
func (h *holding) enter(p Phase, reason stream.Reason) {
	h.mu.Lock()
	same := h.phase == p && h.reason.Is(reason)
	h.phase, h.reason = p, reason
	if !same {
		h.since = time.Now()
	}
	h.mu.Unlock()
	if !same {
		h.logger().Info().Str("state", string(p)).Stringer("reason", reason).Msg("slot")
	}
}

// settle says what became of the start, once.
func (h *holding) settle(result string, failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.first:
	default:
		h.result, h.failure = result, failure
		close(h.first)
	}
}

// outcome is what settle said.
func (h *holding) outcome() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.result, h.failure
}

func (h *holding) reservation() store.Reservation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.res
}

// confirm takes in that in this term of the lease the store counts the slot,
// under this name, as ours.
func (h *holding) confirm(slot string, term int) {
	h.mu.Lock()
	renamed := h.res.Slot != slot
	h.confirmed = max(h.confirmed, term)
	h.settled = true
	if renamed {
		h.res.Slot, h.memo.Reservation.Slot = slot, slot
		h.log = named(h.r.o.Log, h.res)
	}
	h.mu.Unlock()
	poke(h.fed)
	if renamed {
		h.logger().Info().Str("state", string(PhaseRunning)).Stringer("reason", stream.Because(stream.CodeSlotRenamed, "slot", slot)).Msg("slot")
		h.keepMemo()
	}
}

// keepMemo writes the memo where only a later life would miss it.
func (h *holding) keepMemo() {
	if err := h.writeMemo(); err != nil {
		h.logger().Error().Err(err).Msg("what the next life must know is not written")
	}
}

// writeMemo writes the memo as it is now; of two writers the later writes
// what is newer.
func (h *holding) writeMemo() error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	m := h.memo
	h.mu.Unlock()
	return h.r.dir.WriteMemo(m)
}

// hello is what the slot's supervisor is told.
func (h *holding) hello() supervisor.Hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	return supervisor.Hello{Key: h.memo.Key, TTL: h.r.o.TTL}
}

// held is the holding as reconcile sees it.
func (h *holding) held() held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return held{
		Reservation: h.res, Settled: h.settled,
		Ending: h.phase == PhaseStopping || h.phase == PhaseReleasing || h.wishes.end != endNot,
	}
}

// subject is where the slot runs, for templates.
func (h *holding) subject() plan.Subject {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := plan.Subject{Key: h.res.Key, Slot: stream.OwnSlot(h.res.Slot), Host: h.res.Host, Token: h.token, Place: h.memo.Place, PlaceVars: h.memo.PlaceVars}
	if h.service != nil && at.Place < len(h.service.Places) {
		at.PlaceVars = h.service.PlaceVars(at.Place)
	}
	return at
}

// letGo closes the connection to the supervisor; the child lives on until
// its deadline.
func (h *holding) letGo() {
	h.mu.Lock()
	sup := h.sup
	h.sup = nil
	h.mu.Unlock()
	if sup != nil {
		if err := sup.Close(); err != nil {
			h.logger().Debug().Err(fmt.Errorf("close the supervisor's socket: %w", err)).Msg("slot")
		}
	}
}

func (h *holding) supervisor() *supervisor.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sup
}

// hold takes a client over: from here on its child is fed.
func (h *holding) hold(sup *supervisor.Client) {
	h.letGo()
	h.mu.Lock()
	h.sup = sup
	h.mu.Unlock()
	h.r.feeders.Go(func() { h.feed(sup) })
}

// feed gives the child every new deadline until the connection is over. It
// stands alone, so that no slow call of anybody keeps a deadline back.
func (h *holding) feed(sup *supervisor.Client) {
	var last int64
	for {
		h.mu.Lock()
		mode, confirmed := h.mode, h.confirmed
		h.mu.Unlock()
		deadline, changed := h.r.lease.feed(mode, confirmed)
		if deadline > last && deadline > supervisor.Now() {
			if sup.Feed(deadline) != nil {
				return // the connection is over, which the walking goroutine sees
			}
			last = deadline
		}
		select {
		case <-changed:
		case <-h.fed:
		case <-sup.Done():
			return
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
