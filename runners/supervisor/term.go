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
	// ErrDeadline: a deadline that no lease can have.
	ErrDeadline = errors.New("the deadline is further ahead than the ttl that the runner said in its hello")
)

// farthest bounds the ttl of a hello. A wall clock time given by mistake would otherwise make a child that nobody ends.
const farthest = 24 * time.Hour

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

// begin grants the first deadline, no further ahead than reach.
func (t *term) begin(now, deadline int64, reach time.Duration) error {
	switch {
	case t.lapse(now):
		return ErrLapsed
	case t.state == termRunning:
		return ErrGone
	case now >= deadline:
		t.state = termLapsed
		return ErrLapsed
	case deadline-now > int64(reach):
		return ErrDeadline
	}
	t.state, t.deadline = termRunning, deadline
	return nil
}

// feed replaces the deadline, also by an earlier one: the runner knows best what it may promise. It cannot promise more than
// a lease lasts.
func (t *term) feed(now, deadline int64, reach time.Duration) error {
	switch {
	case t.lapse(now):
		return ErrLapsed
	case t.state == termWaiting:
		return ErrNoGo
	case deadline-now > int64(reach):
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

func (g *guard) begin(deadline int64, reach time.Duration) error {
	return g.change(deadline, reach, (*term).begin)
}

func (g *guard) feed(deadline int64, reach time.Duration) error {
	return g.change(deadline, reach, (*term).feed)
}

func (g *guard) change(deadline int64, reach time.Duration, by func(*term, int64, int64, time.Duration) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := by(&g.term, Now(), deadline, reach)
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
