package supervisor

import (
	"errors"
	"sync"
	"time"
)

// Refusals of Go and Feed.
var (
	// ErrLapsed: the deadline has passed. It is final: no later deadline is ever accepted.
	ErrLapsed = errors.New("the deadline has passed")
	// ErrNoGo: a Feed before any Go.
	ErrNoGo = errors.New("not started yet")
	// ErrGone: a second Go.
	ErrGone = errors.New("already started")
	// ErrDeadline: a deadline that cannot be one of Now's clock.
	ErrDeadline = errors.New("deadline is more than a day ahead: not a time of CLOCK_BOOTTIME")
)

// farthest bounds a deadline. A wall clock time given by mistake would otherwise make a child that nobody ends.
const farthest = int64(24 * time.Hour)

// term is the life that was granted: waiting → running → lapsed, and never back. Every method looks at the deadline it has
// before it looks at a new one, so that a feed which was late is refused whatever it says.
type term struct {
	state    termState
	deadline int64
}

type termState int

const (
	termWaiting termState = iota
	termRunning
	termLapsed
)

// lapse reports whether the term is over at now, and makes it final.
func (t *term) lapse(now int64) bool {
	if t.state == termRunning && now >= t.deadline {
		t.state = termLapsed
	}
	return t.state == termLapsed
}

// begin grants the first deadline.
func (t *term) begin(now, deadline int64) error {
	switch {
	case t.lapse(now):
		return ErrLapsed
	case t.state == termRunning:
		return ErrGone
	case now >= deadline:
		t.state = termLapsed
		return ErrLapsed
	case deadline-now > farthest:
		return ErrDeadline
	}
	t.state, t.deadline = termRunning, deadline
	return nil
}

// feed replaces the deadline, also by an earlier one: the runner knows best what it may promise.
func (t *term) feed(now, deadline int64) error {
	switch {
	case t.lapse(now):
		return ErrLapsed
	case t.state == termWaiting:
		return ErrNoGo
	case deadline-now > farthest:
		return ErrDeadline
	}
	t.deadline = deadline
	if t.lapse(now) {
		return ErrLapsed
	}
	return nil
}

// guard enforces a term. It stands beside everything else the supervisor does: neither a full disk, nor a slow client, nor
// a hook that hangs keeps it from acting at the deadline.
type guard struct {
	alarm  *alarm
	lapsed chan struct{} // closed when the term is over

	mu   sync.Mutex
	term term
	told bool
}

func newGuard() (*guard, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, err
	}
	return &guard{alarm: a, lapsed: make(chan struct{})}, nil
}

// watch waits for the deadline, runs atLapse once and returns.
func (g *guard) watch(atLapse func()) {
	for {
		if err := g.alarm.wait(); err != nil {
			// Without its alarm a child would have no deadline at all, so this is the deadline.
			g.mu.Lock()
			g.term.state = termLapsed
			g.mu.Unlock()
		}
		if g.over() {
			atLapse()
			return
		}
	}
}

// over reports whether the term is over by now, and lets everyone know.
func (g *guard) over() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.overLocked()
}

func (g *guard) overLocked() bool {
	if !g.term.lapse(Now()) {
		return false
	}
	if !g.told {
		g.told = true
		close(g.lapsed)
	}
	return true
}

func (g *guard) begin(deadline int64) error {
	return g.change(deadline, (*term).begin)
}

func (g *guard) feed(deadline int64) error {
	return g.change(deadline, (*term).feed)
}

func (g *guard) change(deadline int64, by func(*term, int64, int64) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := by(&g.term, Now(), deadline)
	if g.overLocked() {
		// A refused first Go never armed the alarm; the watcher must not sleep on.
		return errors.Join(err, g.alarm.set(1))
	}
	if err != nil {
		return err
	}
	if err := g.alarm.set(deadline); err != nil {
		g.term.state = termLapsed
		g.overLocked()
		return err
	}
	return nil
}

// deadline returns the present deadline, 0 before the first Go.
func (g *guard) deadline() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.term.deadline
}
