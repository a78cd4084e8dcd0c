package supervisor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// life runs the child from the first Go to the end. One goroutine walks through it; everyone else only leaves wishes and
// wakes it up.
type life struct {
	guard   *guard
	forker  *forker
	tree    *tree
	cgroup  *cgroup // of the walking goroutine alone; nil where there is none
	journal *journal
	vars    *varsFile
	environ *environFile
	saver   *saver
	emit    func(Event)
	watched func() bool // a runner is connected

	wake chan struct{} // holds one
	born time.Time     // of the supervisor: the zero of its monotonic clock
	sign atomic.Int64  // time of the latest sign of life, since born

	mu      sync.Mutex
	spec    Spec
	state   State
	wishes  wishes
	edition int      // of spec, as changes count
	runs    int      // edition that the child was started with
	asked   told     // when the file has the change
	limits  Limits   // of this attempt
	memory  oomWatch // of its child

	bounding sync.Mutex // held while the limits are written, which the kernel may take its time for

	// Of the walking goroutine alone.
	past    Failures
	delay   time.Duration
	started bool   // a child was started at least once
	settle  func() // called when the first child runs
}

// wishes are what others want of the life.
type wishes struct {
	ready   bool // Go was given
	lost    bool // the runner went before it gave a Go
	end     endWish
	reason  string // of the end
	restart bool
	kick    bool
	told    told
}

type endWish int

const (
	endNone   endWish = iota
	endGently         // stop signal, grace, KILL
	endNow            // KILL
)

// wish leaves a wish.
func (l *life) wish(change func(*wishes)) {
	l.mu.Lock()
	change(&l.wishes)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// wishEnd wishes for an end; a harder one overrules a gentler one.
func (l *life) wishEnd(how endWish, reason string) {
	l.wish(func(w *wishes) {
		if how > w.end {
			w.end, w.reason = how, reason
		}
	})
}

func (l *life) wished() wishes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wishes
}

// takeKick reports whether there was a kick since the last time.
func (l *life) takeKick() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	kick := l.wishes.kick
	l.wishes.kick = false
	return kick
}

// change changes the state and has it saved.
func (l *life) change(by func(*State)) {
	l.mu.Lock()
	by(&l.state)
	l.mu.Unlock()
	l.saver.state()
}

func (l *life) enter(p Phase) { l.change(func(s *State) { s.Phase = p }) }

// snapshot returns copies of what the life knows.
func (l *life) snapshot() (Spec, State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.state.clone()
	state.Deadline = l.guard.deadline()
	return l.spec, state
}

// currentSpec is replaced as a whole, never changed in place.
func (l *life) currentSpec() Spec {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spec
}

// over reports an end that nothing turns round any more, and why.
func (l *life) over() (string, bool) {
	if l.guard.over() {
		return EndDeadline, true
	}
	w := l.wished()
	return w.reason, w.end != endNone
}

// alive notes a sign of life.
func (l *life) alive() { l.sign.Store(int64(time.Since(l.born))) }

func (l *life) warn(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	l.journal.say("%s", text)
	l.emit(Event{Kind: EventWarning, Text: l.journal.clean(text)})
}

// run walks through the life and returns why it ended. The tree is gone and post_stop has run by then.
func (l *life) run() End {
	reason := l.awaitGo()
	for reason == "" {
		if reason = l.attempt(); reason == "" {
			reason = l.pause()
		}
	}
	l.journal.say("ended: %s", reason)
	return End{Reason: reason, At: time.Now()}
}

// awaitGo returns "" once there was a Go.
func (l *life) awaitGo() string {
	patience := time.NewTimer(l.currentSpec().GoWithin)
	defer patience.Stop()
	for {
		if reason, over := l.over(); over {
			return reason
		}
		w := l.wished()
		switch {
		case w.ready:
			return ""
		case w.lost:
			return EndNoGo
		}
		select {
		case <-l.wake:
		case <-l.guard.lapsed:
		case <-patience.C:
			return EndNoGo
		}
	}
}

// pause waits until the next start is due, and returns why there will be none, or "".
func (l *life) pause() string {
	delay := time.NewTimer(l.delay)
	defer delay.Stop()
	l.change(func(s *State) { s.Phase, s.Next = PhasePausing, time.Now().Add(l.delay) })
	for {
		if reason, over := l.over(); over {
			return reason
		}
		if l.takeKick() || l.wished().restart {
			l.past = l.past.fresh()
			return ""
		}
		select {
		case <-delay.C:
			return ""
		case <-l.wake:
		case <-l.guard.lapsed:
		}
	}
}
