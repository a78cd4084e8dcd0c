package store_test

import (
	"container/heap"
	"context"
	"errors"
	"iter"
	"strings"

	"stream-api/store"
)

// The model is a simulation of discrete events in virtual time. Its actors
// (runners, schedulers, pollers) are coroutines, so that they read like the
// programs they stand for; one runs at a time, and only the world's random
// numbers decide which. What they say to the store goes over a network that
// loses, delays, doubles and reorders.

// Virtual time is in microseconds.
const (
	ms     = int64(1000)
	second = 1000 * ms
)

type event struct {
	at, seq int64
	run     func()
}

type agenda []event

func (g agenda) Len() int { return len(g) }
func (g agenda) Less(i, j int) bool {
	return g[i].at < g[j].at || g[i].at == g[j].at && g[i].seq < g[j].seq
}
func (g agenda) Swap(i, j int) { g[i], g[j] = g[j], g[i] }
func (g *agenda) Push(x any)   { *g = append(*g, x.(event)) }
func (g *agenda) Pop() any {
	last := (*g)[len(*g)-1]
	*g = (*g)[:len(*g)-1]
	return last
}

// at has run called at a time, now if that is past.
func (w *world) at(t int64, run func()) {
	w.seq++
	heap.Push(&w.agenda, event{at: max(t, w.now), seq: w.seq, run: run})
}

// errEnded unwinds a coroutine whose process died.
var errEnded = errors.New("ended")

// actor is one simulated process or a thread of one.
type actor struct {
	w      *world
	name   string
	next   func() (int64, bool)
	stop   func()
	yield  func(int64) bool
	dead   bool
	frozen int64 // until when
	// cut tells whether the store is out of this actor's reach.
	cut func() bool
}

func (w *world) spawn(name string, cut func() bool, body func(a *actor)) *actor {
	a := &actor{w: w, name: name, cut: cut}
	a.next, a.stop = iter.Pull(iter.Seq[int64](func(yield func(int64) bool) {
		a.yield = yield
		defer func() {
			a.dead = true
			if r := recover(); r != nil && r != errEnded {
				panic(r)
			}
		}()
		body(a)
	}))
	w.actors = append(w.actors, a)
	w.at(w.now, a.resume)
	return a
}

// resume lets the actor go on until it waits again.
func (a *actor) resume() {
	if a.dead {
		return
	}
	if a.frozen > a.w.now {
		a.w.at(a.frozen, a.resume)
		return
	}
	if t, ok := a.next(); ok {
		a.w.at(t, a.resume)
	}
}

// kill ends the actor where it waits; it must not be called by itself.
func (a *actor) kill() {
	a.dead = true
	a.stop()
}

func (a *actor) until(t int64) {
	if !a.yield(t) {
		panic(errEnded)
	}
}

func (a *actor) sleep(us int64) { a.until(a.w.now + us) }

// errLost is what a caller sees of a request or an answer that never came.
var errLost = errors.New("no answer")

// errDown is what it sees of a store that cannot be reached.
var errDown = errors.New("unreachable")

// patience is how long a caller waits for an answer: one beat.
const patience = 2 * second

// fate of one request.
type fate struct {
	there, back   int64 // travel times
	lost, unheard bool  // the request, the answer
	again         int64 // after which the request arrives once more; 0: never
}

func (w *world) fate(steady bool) fate {
	f := fate{there: 1*ms + w.rng.Int64N(5*ms), back: 1*ms + w.rng.Int64N(5*ms)}
	if w.calm {
		return f
	}
	p := w.rng.IntN(1000)
	if steady && p > 20 && p < 900 { // most ticks come in time
		p = 160
	}
	if steady && p >= 990 {
		p = 120 // slow: the clock seems to have jumped
	}
	switch {
	case p < 30:
		f.lost = true
	case p < 60:
		f.unheard = true
	case p < 90:
		f.there = 2*second + w.rng.Int64N(20*second) // given up before it arrives
	case p < 120:
		f.again = 1*ms + w.rng.Int64N(15*second)
	case p < 160:
		f.there, f.back = w.rng.Int64N(900*ms), w.rng.Int64N(900*ms)
	}
	return f
}

// ask sends a request to the store. It arrives whatever becomes of the asker.
func ask[T any](a *actor, what string, f func(context.Context) (T, error)) (T, error) {
	w := a.w
	var answer T
	var err = errLost
	arrived := false
	v := w.fate(what == "reap")
	what = a.name + ": " + what
	exec := func() {
		if a.cut() {
			if !arrived {
				err = errDown
			}
			return
		}
		got, e := exec(w, what, f)
		if !arrived {
			answer, err, arrived = got, e, true
		}
	}
	limit := w.now + patience
	if !v.lost {
		w.at(w.now+v.there, exec)
		if v.again > 0 {
			w.at(w.now+v.there+v.again, exec)
		}
	}
	back := w.now + v.there + v.back
	if v.lost || v.unheard || back > limit {
		a.until(limit)
		var none T
		return none, errLost
	}
	a.until(back)
	if arrived && a.cut() {
		var none T
		return none, errLost
	}
	return answer, err
}

// reading are the steps that change nothing: they are neither counted nor
// followed by a check.
var reading = map[string]bool{"unmade ok": true, "job ok": true, "dirty ok": true, "requeuedue ok": true, "declared ok": true, "pending ok": true, "announced ok": true, "slots ok": true, "moves ok": true, "record ok": true}

// exec is a request's arrival: one step of the model.
func exec[T any](w *world, what string, f func(context.Context) (T, error)) (T, error) {
	if w.err != nil {
		var none T
		return none, errDown
	}
	if err := w.setClock(); err != nil {
		w.fail(err)
	}
	got, err := f(w.ctx)
	if name := outcome(what, got, err); !reading[name] {
		w.ops++
		w.seen[name]++
		w.note("%s → %v %v", what, got, err)
		w.after(what)
	}
	return got, err
}

// outcome names what a step did, to count what the model came by.
func outcome(what string, got any, err error) string {
	_, verb, _ := strings.Cut(what, ": ")
	verb, _, _ = strings.Cut(verb, " ")
	var hold *store.HoldError
	var changed *store.ChangedError
	var taken *store.TakenError
	switch {
	case err == nil:
	case errors.Is(err, store.ErrStale):
		return verb + " stale"
	case errors.Is(err, store.ErrUnknownHost):
		return verb + " unknown"
	case errors.As(err, &hold):
		return verb + " hold"
	case errors.As(err, &changed):
		return verb + " changed"
	case errors.As(err, &taken):
		return verb + " taken"
	default:
		return verb + " failed"
	}
	switch v := got.(type) {
	case store.Asserted:
		return verb + map[bool]string{true: " keep", false: " end"}[v.Keep]
	case store.Released:
		return verb + []string{" requeued", " ended", " stays", " done", " failed"}[v]
	case store.ReapResult:
		if v.Doubt {
			return verb + " doubt"
		}
		if v.Held {
			return verb + " hold: " + string(v.Reason.Code)
		}
		if v.Taken > 0 {
			return verb + " taken back"
		}
	case store.PollResult:
		if v.Stale {
			return verb + " stale"
		}
		if len(v.Gone) > 0 {
			return verb + " gone"
		}
	}
	return verb + " ok"
}
