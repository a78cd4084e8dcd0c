package scheduler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/store"
)

// bell wakes a loop; ringing it many times before the loop looks is ringing it
// once.
type bell struct{ c chan struct{} }

func newBell() *bell { return &bell{c: make(chan struct{}, 1)} }

func (b *bell) ring() {
	select {
	case b.c <- struct{}{}:
	default: // it rings already
	}
}

// loop is one kind of work, done when its bell rings and at least every so
// often.
type loop struct {
	name  string
	every time.Duration
	bell  *bell // nil: by the clock alone
	// run does the work once; it returns the time until it wants to be run
	// again, 0 for every.
	run func(ctx context.Context) (again time.Duration, err error)
}

// firstBackoff is the wait after a first failure; it doubles up to a beat.
const firstBackoff = 50 * time.Millisecond

// loop runs until ctx ends. While the work fails its bell is not heard, so that
// hints do not turn an outage into a storm.
func (l loop) loop(ctx context.Context, beat time.Duration, talk *outages) {
	var rung <-chan struct{}
	if l.bell != nil {
		rung = l.bell.c
	}
	wait, timer := time.Duration(0), time.NewTimer(0)
	defer timer.Stop()
	for {
		hear := rung
		if wait > 0 {
			hear = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-hear:
		}
		again, err := l.run(ctx)
		if ctx.Err() != nil {
			return
		}
		talk.heard(l.name, err)
		if err != nil {
			wait = min(max(2*wait, firstBackoff), beat)
			timer.Reset(wait)
			continue
		}
		wait = 0
		if again <= 0 {
			again = l.every
		}
		timer.Reset(again)
	}
}

// outages says once that the store does not answer and once that it does
// again, whichever loop finds it out.
type outages struct {
	log zerolog.Logger

	mu      sync.Mutex
	failing map[string]string // loop → error
	since   time.Time
	word    string               // of the refusal that was said; empty: of no refusal; -: nothing was said yet
	said    map[string]time.Time // of once
}

func (o *outages) heard(loop string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		if _, was := o.failing[loop]; was {
			delete(o.failing, loop)
			if len(o.failing) == 0 {
				o.log.Info().Dur("after", time.Since(o.since)).Msg("the scheduler works again")
			}
		}
		return
	}
	if o.failing == nil {
		o.failing = map[string]string{}
	}
	if len(o.failing) == 0 {
		o.since, o.word = time.Now(), "-"
	}
	// An outage that becomes another is said again; one loop that is refused while
	// others do not reach the store is not.
	if r, refused := store.RefusalOf(err); refused && o.word != r.Word {
		o.word = r.Word
		o.log.Warn().Str("error", store.Explain(err)).Str("loop", loop).Msg("Redis refuses the scheduler; it tries again until it may work")
	} else if !refused && o.word == "-" {
		o.word = ""
		o.log.Warn().Err(cause(err)).Str("loop", loop).Msg("the scheduler cannot work; it tries again until it can")
	}
	o.failing[loop] = err.Error()
}

// cause leaves out that our own bound ended a call, if there is more to say.
func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the store does not answer in time")
	}
	return err
}

// once tells whether this was not said for the given time.
func (o *outages) once(what string, pause time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if when, ok := o.said[what]; ok && time.Since(when) < pause {
		return false
	}
	if o.said == nil || len(o.said) > 1000 {
		o.said = map[string]time.Time{}
	}
	o.said[what] = time.Now()
	return true
}
