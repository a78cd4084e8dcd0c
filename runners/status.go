package runners

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
)

// Local is one slot as this host has it.
type Local struct {
	Stream   string         `json:"stream"`
	Slot     string         `json:"slot"`
	Type     string         `json:"type"`
	Token    string         `json:"token"`
	Phase    Phase          `json:"phase"`
	Since    time.Time      `json:"since"` // of the phase and its reason
	Reason   string         `json:"reason,omitempty"`
	Place    int            `json:"place"`
	PID      int            `json:"pid,omitempty"` // 0: nothing runs just now, or static
	Restarts int            `json:"restarts"`
	Mode     plan.StoreLoss `json:"on_store_loss"`
	// Fed is how long the child may live without this runner; 0: static.
	Fed time.Duration `json:"fed"`
}

// Slots lists what this host has, by stream and slot.
func (r *Runner) Slots() []Local {
	now := supervisor.Now()
	out := []Local{}
	for _, h := range r.all() {
		h.mu.Lock()
		l := Local{
			Stream: h.res.Key, Slot: h.res.Slot, Type: h.stype, Token: h.token, Phase: h.phase, Since: h.since,
			Reason: h.reason.String(), Place: h.memo.Place, PID: h.pid, Restarts: h.restarts, Mode: h.mode,
		}
		if h.sup != nil {
			l.Fed = time.Duration(h.sup.Fed() - now)
		}
		h.mu.Unlock()
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Local) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Token, b.Token))
	})
	return out
}

// counts are what happened in this life.
type counts struct {
	starts, restarts, gaveUp, lost atomic.Int64
}

// Stats are figures for metrics.
type Stats struct {
	Host        string
	Incarnation string
	// LeaseAge is the time since the latest good beat was sent; negative:
	// none yet.
	LeaseAge time.Duration
	Held     map[Phase]int
	Starts   int64 // slots started
	Restarts int64 // children started again
	GaveUp   int64 // slots left to another host because they failed here
	Lost     int64 // slots ended here because another host has them
	// Queues is why the slot commands of this host cannot be read; nil while they
	// are, or if nobody asked yet.
	Queues error
}

// Stats reads the figures.
func (r *Runner) Stats() Stats {
	s := Stats{
		Host: r.o.Host, Incarnation: r.incarnation, LeaseAge: -1, Held: map[Phase]int{},
		Starts: r.counts.starts.Load(), Restarts: r.counts.restarts.Load(),
		GaveUp: r.counts.gaveUp.Load(), Lost: r.counts.lost.Load(),
	}
	if server := r.reads.Load(); server != nil {
		s.Queues = server.Err()
	}
	if age, ok := r.lease.age(supervisor.Now()); ok {
		s.LeaseAge = age
	}
	for _, h := range r.all() {
		s.Held[h.phaseNow()]++
	}
	return s
}

// Registered is closed once the store has accepted this life of the host.
func (r *Runner) Registered() <-chan struct{} { return r.registered }

// tokenTime is when a token was issued, in the store's ms: its number is the
// store's clock in µs. 0: unknown.
func tokenTime(token string) int64 {
	number, _, _ := strings.Cut(token, "-")
	us, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return us / 1000
}
