package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// machine is a computer: what outlives a runner, which is its state directory
// and the supervisors with their children.
type machine struct {
	w         *world
	name, id  string
	keep      bool // on_store_loss
	ttl, beat int64
	offers    []store.Offer
	pools     stream.Amounts

	tombs  map[string]bool        // tokens that were given up: they never start again
	before string                 // the incarnation that registered last, as far as known
	sups   map[string]*supervisor // by token
	done   map[string]*supervisor // of jobs, by key and instance
	lives  int

	runner *runner
	cut    bool
	paused bool // the whole machine
	// lastHeard is how long the store had been up when it last renewed the lease.
	lastHeard int64
}

// supervisor owns one child; it acts by its clock alone.
type supervisor struct {
	store.Reservation
	deadline int64
	trusted  int64 // the deadline that the store's word covers
	ending   int64 // when the tree will be gone; 0: nobody stops it
	gen      int   // registration under which the store last agreed to it
	gap      bool  // ran on under keep while the store was out of reach
	setBack  int64 // until when the store's word on it may be older than the gap
	alive    bool
	fields   map[string]string // of a job
	doneAt   int64             // when its child is done; 0: it is no job
	done     bool
}

// margin is what a host gives away of its lease.
func (m *machine) margin() int64 { return second + m.ttl/10 }

// pass lets the machine's own time run to now: supervisors end their trees.
func (m *machine) pass(now int64) {
	if m.paused {
		return
	}
	for _, s := range m.sups {
		if s.alive && !m.w.flaws.undying && s.deadline <= now || s.ending > 0 && s.ending <= now {
			s.alive, s.ending = false, 0
		}
		if s.alive {
			m.finish(s)
		}
	}
}

func (m *machine) alive() []*supervisor {
	var out []*supervisor
	for _, k := range slices.Sorted(maps.Keys(m.sups)) {
		if s := m.sups[k]; s.alive {
			out = append(out, s)
		}
	}
	return out
}

// named finds the living child of an instance by its name.
func (m *machine) named(key, slot string) *supervisor {
	for _, s := range m.alive() {
		if s.Key == key && s.Instance == slot {
			return s
		}
	}
	return nil
}

type task struct {
	store.Reservation
	verb string
}

// runner is one incarnation.
type runner struct {
	m          *machine
	inc        string
	labels     stream.Labels // of the file as this life read it
	registered bool
	gen        int // of the registration
	trust      int64
	rev        int64
	todoAt     int64 // when to reconcile next
	box        []task
	leaving    bool
	life, hand *actor
}

func (m *machine) boot() {
	m.lives++
	r := &runner{m: m, inc: fmt.Sprintf("%s-%d", m.id, m.lives), labels: hostLabels[m.lives%len(hostLabels)], todoAt: m.w.now}
	m.runner = r
	cut := func() bool { return m.w.down || m.cut }
	r.life = m.w.spawn(r.inc, cut, r.live)
	r.hand = m.w.spawn(r.inc, cut, r.work)
}

func (m *machine) kill() {
	if r := m.runner; r != nil {
		m.runner = nil
		r.life.kill()
		r.hand.kill()
	}
}

func (r *runner) holder() store.Holder {
	return store.Holder{Host: r.m.name, Incarnation: r.inc}
}

// again asks for a reconcile.
func (r *runner) again(after int64) { r.todoAt = min(r.todoAt, r.m.w.now+after) }

func (r *runner) live(a *actor) {
	for {
		if r.registered {
			r.beat(a)
		} else {
			r.enroll(a)
		}
		a.sleep(r.m.beat - 50*ms + a.w.rng.Int64N(100*ms))
	}
}

func (r *runner) beat(a *actor) {
	sent := a.w.now
	b, err := ask(a, "heartbeat", func(ctx context.Context) (store.Beat, error) { return a.w.store.Heartbeat(ctx, r.holder()) })
	switch {
	case err == nil:
		r.trusts(sent)
		if b.Rev != r.rev {
			r.rev = b.Rev
			r.again(0)
		}
		r.feed()
	case errors.Is(err, store.ErrUnknownHost), errors.Is(err, store.ErrStale):
		r.registered, r.trust = false, 0
		r.enroll(a)
	default:
		r.blind()
	}
}

func (r *runner) trusts(sent int64) {
	r.m.lastHeard = r.m.w.uptime
	r.trust = max(r.trust, sent+r.m.ttl-r.m.margin()+r.m.w.flaws.overtrust)
}

// feed gives the children what the store's word covers.
func (r *runner) feed() {
	for _, s := range r.m.alive() {
		if s.gen == r.gen && !r.m.tombs[s.Token] {
			s.deadline, s.trusted = max(s.deadline, r.trust), max(s.trusted, r.trust)
		}
	}
}

// blind feeds the children of a keep host while the store is out of reach.
func (r *runner) blind() {
	if !r.m.keep || r.trust-r.m.w.now > 2*r.m.beat {
		return
	}
	for _, s := range r.m.alive() {
		if !r.m.tombs[s.Token] {
			s.deadline = max(s.deadline, r.m.w.now+r.m.ttl-r.m.margin())
		}
	}
}

func (r *runner) enroll(a *actor) {
	if r.leaving {
		return
	}
	sent := a.w.now
	g := store.Registration{
		Holder: r.holder(), Replaces: r.m.before, HostID: r.m.id, Offers: r.m.offers, Labels: r.labels, Pools: r.m.pools, Version: "model",
		TTL: time.Duration(r.m.ttl) * time.Microsecond, Beat: time.Duration(r.m.beat) * time.Microsecond,
	}
	b, err := ask(a, "register", func(ctx context.Context) (store.Beat, error) { return a.w.store.Register(ctx, g) })
	var changed *store.ChangedError
	var taken *store.TakenError
	switch {
	case err == nil:
		r.m.before, r.registered, r.rev = r.inc, true, b.Rev
		r.gen = a.w.nextGen()
		r.trusts(sent)
		r.again(0)
		for _, s := range r.m.alive() {
			if !r.m.tombs[s.Token] {
				r.assert(a, s)
			}
		}
	case errors.As(err, &changed):
		r.m.before = changed.Incarnation
		r.enroll(a)
	case errors.As(err, &taken): // its children end at their deadlines
	default:
		r.blind()
	}
}

// assert asks the store about a living child, and obeys.
func (r *runner) assert(a *actor, s *supervisor) {
	gen := r.gen
	c, v := r.copyOf(s), s.Reservation
	got, err := ask(a, "assert "+v.Key+"/"+v.Instance+" "+v.Token, func(ctx context.Context) (store.Asserted, error) {
		return a.w.store.Assert(ctx, v, r.inc, c)
	})
	switch {
	case err == nil && got.Keep:
		if s.alive && r.gen == gen && !r.m.tombs[s.Token] {
			s.gen, s.gap = gen, false
			r.feed()
		}
		r.again(0)
	case err == nil:
		r.m.tombs[s.Token] = true
		if s.alive && !a.w.flaws.disobey {
			s.ending = a.w.now + 1*ms
		}
	case errors.Is(err, store.ErrStale):
		r.registered = false
	default:
		r.again(second)
	}
}

func (r *runner) work(a *actor) {
	w := a.w
	for {
		switch {
		case len(r.box) > 0:
			t := r.box[0]
			r.box = r.box[1:]
			r.handle(a, t)
		case r.registered && r.todoAt <= w.now:
			r.todoAt = w.now + 30*second
			r.reconcile(a)
		case r.leaving && len(r.m.alive()) == 0:
			left, err := ask(a, "leave", func(ctx context.Context) (int, error) { return w.store.Leave(ctx, r.holder()) })
			if err == nil && left == 0 || errors.Is(err, store.ErrStale) {
				r.m.runner = nil
				r.life.kill()
				return
			}
			r.again(0)
			a.sleep(200 * ms)
		default:
			a.sleep(20*ms + w.rng.Int64N(100*ms))
		}
	}
}

func (r *runner) handle(a *actor, t task) {
	if !r.registered {
		return // the reconcile after the registration finds it
	}
	switch t.verb {
	case "start":
		r.start(a, t.Reservation)
	case "stop":
		if s := r.m.sups[t.Token]; s != nil {
			r.end(a, t.Reservation, store.Release{Reason: stream.Because(stream.CodeUnwanted)})
		}
	case "giveup":
		if s := r.m.sups[t.Token]; s != nil && s.alive {
			r.end(a, s.Reservation, store.Release{
				Reason: stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5"), Avoid: 5 * time.Second, OnlyIfRoom: true, Classes: classesFor(t.Key),
			})
		}
	}
}

func (r *runner) reconcile(a *actor) {
	instances, err := ask(a, "slots", func(ctx context.Context) ([]store.InstanceRecord, error) { return a.w.store.SlotsOf(ctx, r.m.name) })
	if err != nil {
		r.again(second)
		return
	}
	// Redis lists sets in an order of its own; a seed has to do the same again.
	slices.SortFunc(instances, func(a, b store.InstanceRecord) int { return strings.Compare(a.Key+a.Instance, b.Key+b.Instance) })
	listed := map[string]bool{}
	for _, v := range instances {
		listed[v.Token] = true
		switch {
		case isJob(v.Instance) && r.donesFirst(a, v.Reservation):
		case r.m.tombs[v.Token], v.State == stream.Stopping, r.leaving,
			v.Move != "" && v.State == stream.Running && v.Follows == "":
			r.end(a, v.Reservation, store.Release{Reason: stream.Because(stream.CodeUnwanted)})
		case v.State == stream.Assigned && r.m.sups[v.Token] != nil && r.m.sups[v.Token].alive:
			r.assert(a, r.m.sups[v.Token]) // the store was set back to before the claim
		default:
			r.start(a, v.Reservation)
		}
	}
	for _, s := range r.m.alive() {
		if !listed[s.Token] && !r.m.tombs[s.Token] && r.registered {
			r.assert(a, s)
		}
	}
	if a.w.jobs {
		r.tellEnds(a, listed)
	}
}

// start claims, and has a child started under the deadline that was trusted
// in the same registration.
func (r *runner) start(a *actor, v store.Reservation) {
	w := a.w
	if r.leaving {
		return
	}
	if r.m.tombs[v.Token] && !w.flaws.resurrect {
		r.end(a, v, store.Release{Reason: stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5")})
		return
	}
	if s := r.m.sups[v.Token]; s != nil && s.alive {
		if s.gen != r.gen {
			r.assert(a, s)
		}
		return
	}
	if isJob(v.Instance) && r.donesFirst(a, v) {
		return
	}
	if s := r.m.named(v.Key, v.Instance); s != nil { // of an earlier term
		r.m.tombs[s.Token] = true
		r.stop(a, s)
	}
	gen := r.gen
	_, err := ask(a, "claim "+v.Key+"/"+v.Instance+" "+v.Token, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.store.Claim(ctx, v, r.inc)
	})
	switch {
	case errors.Is(err, store.ErrStale):
		r.again(second)
		return
	case err != nil:
		r.again(500 * ms)
		return
	}
	if (r.gen != gen || !r.registered) && !w.flaws.anyClaim || r.trust <= w.now && !w.flaws.undying || r.m.tombs[v.Token] && !w.flaws.resurrect {
		r.again(500 * ms)
		return
	}
	child := &supervisor{Reservation: v, deadline: r.trust, trusted: r.trust, gen: r.gen, alive: true}
	if isJob(v.Instance) {
		job, err := exec(w, "job", func(ctx context.Context) (store.Job, error) { return w.store.ReadJob(ctx, v.Key, v.Instance) })
		if err != nil {
			r.again(500 * ms)
			return
		}
		child.fields = job.Job.Fields(job.Only)
		child.works(w)
	}
	r.m.sups[v.Token] = child
	w.note("%s starts %s/%s %s", r.inc, v.Key, v.Instance, v.Token)
	started := map[string]string{"up": "1", "phase": ""}
	if w.jobs {
		started["ran"] = "1"
	}
	if isJob(v.Instance) {
		_, _ = ask(a, "report "+v.Key+"/"+v.Instance, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, w.store.Report(ctx, v, r.inc, store.Observation{Fields: started})
		})
		return
	}
	if _, err := ask(a, "publish "+v.Key+"/"+v.Instance, func(ctx context.Context) ([]store.Reservation, error) {
		return w.store.Publish(ctx, v, r.inc, map[string]string{"by": v.Token})
	}); err != nil {
		r.again(second)
	}
	_, _ = ask(a, "report "+v.Key+"/"+v.Instance, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.store.Report(ctx, v, r.inc, store.Observation{Fields: started})
	})
}

// stop ends a tree and waits until it is gone.
func (r *runner) stop(a *actor, s *supervisor) {
	if s.alive && s.ending == 0 {
		s.ending = a.w.now + 1*ms + a.w.rng.Int64N(3*second)
	}
	if a.w.flaws.hasty {
		return
	}
	for s.alive {
		a.sleep(50 * ms)
	}
}

// end gives a slot back: tombstone, then the tree, then the release.
func (r *runner) end(a *actor, v store.Reservation, o store.Release) {
	if !a.w.flaws.noTombs {
		r.m.tombs[v.Token] = true
	}
	if s := r.m.sups[v.Token]; s != nil {
		r.stop(a, s)
		o.Ran = a.w.jobs
	}
	got, err := ask(a, "release "+v.Key+"/"+v.Instance+" "+v.Token, func(ctx context.Context) (store.Released, error) {
		return a.w.store.Release(ctx, v, r.inc, o)
	})
	switch {
	case err == nil:
		if got == store.Stays {
			r.again(0)
		}
	case errors.Is(err, store.ErrStale):
	default:
		r.again(500 * ms)
	}
}
