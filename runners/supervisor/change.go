package supervisor

import (
	"fmt"
	"syscall"
	"time"
)

// A change gives a child that runs on what it would be started with now: the file behind EnvEnv has it, and the next start.
// edition counts what was given; what was asked for on account of an edition that the child was started with is settled.

// handsAfter is how old a child must be before it is sent a signal for a change: one that has not said yet what it does at
// a signal is ended by it.
const handsAfter = time.Second

// told is a signal that the child is to get.
type told struct {
	signal  string
	edition int
}

// changeSignals are those by which a child is told of a change.
var changeSignals = []string{"HUP", "USR1", "USR2"}

// changes takes in what the child would be started with now. The file is written by the saver: a disk that stands still must not
// keep a feed back.
func (l *life) changes(next Spec, signal string) {
	l.wish(func(*wishes) {
		l.edition++
		l.spec, l.asked = next, told{signal, l.edition}
	})
	l.saver.environ()
}

// handOver replaces the file, and has the child told if that was asked for.
func (l *life) handOver() error {
	if spec := l.currentSpec(); len(spec.Mask) > 0 {
		l.journal.addMask(spec.Mask) // it may say what it reads
	}
	if err := l.environ.renew(func() []string {
		spec := l.currentSpec()
		return spec.environ()
	}); err != nil {
		return fmt.Errorf("what %s names is not renewed yet: %w", EnvEnv, err)
	}
	l.wish(func(w *wishes) { w.told, l.asked = l.asked, told{} })
	return nil
}

// startsWith takes note of the edition that a child is started with, and gives that.
func (l *life) startsWith(spec Spec) Spec {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.edition != l.runs {
		spec = l.spec
	}
	l.runs = l.edition
	return spec
}

// due tells whether the child is to get a signal now, or in how long.
func (l *life) due(age time.Duration) (signal string, in time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.wishes.told
	switch {
	case t.signal == "":
		return "", 0
	case t.edition <= l.runs: // it was started with that
		l.wishes.told = told{}
		return "", 0
	case age < handsAfter:
		return "", handsAfter - age
	}
	l.wishes.told = told{}
	return t.signal, 0
}

// hand sends the child, and nothing that it started, a signal.
func (l *life) hand(p *process, signal string) {
	if err := p.signal(stopSignals[signal]); err != nil && err != syscall.ESRCH {
		l.warn("%s for what changed: %v", signal, err)
		return
	}
	l.journal.say("sent %s: %s names what changed", signal, EnvEnv)
}
