package runners

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"stream-api/queue"
	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// Runner is one life of a host: its lease, and everything it holds.
type Runner struct {
	o        Options
	log      zerolog.Logger
	store    *store.Store
	queue    *queue.Client
	server   atomic.Pointer[queue.Server] // of slot commands; nil: none, or not begun
	services map[string]*plan.Service

	lease       *lease
	places      *places
	incarnation string
	counts      counts

	lookNow, beatNow, tellNow chan struct{}                // hold one
	calls                     chan struct{}                // bounds the calls to the store that are not beats
	forks                     chan struct{}                // bounds the supervisors that start at once
	reads                     atomic.Pointer[queue.Server] // nil before it takes commands
	registered                chan struct{}                // closed at the first registration
	onceRegistered            sync.Once
	leaves                    chan struct{} // one for each Leave that is not heeded yet

	// From Run on.
	dir        *statedir.Dir
	tombstones *statedir.Tombstones
	ends       *statedir.Ends
	untold     sync.Map         // tokens of which the store took no release
	told       int              // the term in which the ends were compared last; of the watch alone
	unread     map[string]error // why the memos of slots' directories did not read
	replaces   string
	heir       bool            // a life before this one registered
	ended      atomic.Int64    // slots since old logs were last removed
	left       atomic.Bool     // the store counts this host as gone, as it said itself
	work       context.Context // of all holdings; with its end they do no more
	holders    sync.WaitGroup
	feeders    sync.WaitGroup

	mu       sync.Mutex
	holdings map[string]*holding   // by token
	checks   map[string]store.Heed // by type: what the store last made of it
	leaving  bool
}

// maxCalls leaves connections of the client's pool to the heart.
const maxCalls = 8

// New makes a runner. It touches nothing; Run does.
func New(s *store.Store, q *queue.Client, o Options) (*Runner, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("runner: %w", err)
	}
	r := &Runner{
		o: o, log: o.Log, store: s, queue: q, services: map[string]*plan.Service{},
		lease: newLease(o.TTL), places: newPlaces(), holdings: map[string]*holding{}, checks: map[string]store.Heed{},
		incarnation: newIncarnation(time.Now()),
		lookNow:     make(chan struct{}, 1), beatNow: make(chan struct{}, 1), tellNow: make(chan struct{}, 1),
		calls: make(chan struct{}, maxCalls), forks: make(chan struct{}, max(2, runtime.NumCPU())),
		registered: make(chan struct{}), leaves: make(chan struct{}, 2),
	}
	for i := range o.Services {
		r.services[o.Services[i].Type] = &r.o.Services[i]
	}
	return r, nil
}

// Leave has the runner take no more work, stop its children and release each
// slot the moment its tree is gone; Run then returns nil. A second call ends
// them at once. It does not wait.
func (r *Runner) Leave() {
	select {
	case r.leaves <- struct{}{}:
	default: // two were not heeded yet: one more says nothing new
	}
}

// Run lives the life and may be called once. It returns nil after a Leave, and at
// ctx's end unless it leaves: then with the children left as they are, until their
// deadline, for the next life, which adopts them. Else it says why this runner may
// not go on: *RefusedError, ErrReplaced (its children are ended then), or what is
// wrong with the state directory.
func (r *Runner) Run(ctx context.Context) (err error) {
	if err := r.open(); err != nil {
		return err
	}
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	beating, endHeart := context.WithCancel(context.WithoutCancel(ctx))
	r.work = work
	var hearts sync.WaitGroup
	defer func() {
		endWork()
		r.holders.Wait()
		// Only now: a start that had begun, or a call to a store that hangs,
		// takes its time, and what runs is fed until it is over.
		endHeart()
		hearts.Wait()
		r.letGo()
		r.feeders.Wait()
		err = errors.Join(err, r.tombstones.Close(), r.ends.Close(), r.dir.Close())
	}()
	if err := r.adopt(); err != nil {
		return fmt.Errorf("take over what an earlier life left: %w", err)
	}
	if len(r.o.Services) == 0 && len(r.o.Extra) == 0 {
		r.holders.Go(func() { r.endWhatIsNotOffered(work) })
	}
	final := make(chan error, 1)
	hearts.Go(func() { final <- r.heart(beating) })
	r.holders.Go(func() { r.watch(work) })
	r.holders.Go(func() { r.tellEnds(work) })
	r.watchChecks(work)
	stopQueue, err := r.serveQueue(work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopQueue()) }()
	select {
	case <-r.leaves:
		return r.leave(ctx, final, stopQueue)
	case <-ctx.Done():
	case err := <-final:
		return errors.Join(err, r.endAll(ctx, err))
	}
	select {
	case <-r.leaves: // it was told before
		return r.leave(ctx, final, stopQueue)
	default:
		return r.detach(stopQueue)
	}
}

// open takes the state directory and reads what is remembered there.
func (r *Runner) open() (err error) {
	r.dir, err = statedir.Open(r.o.StateDir)
	switch {
	case errors.Is(err, statedir.ErrLocked):
		return &RefusedError{Why: err.Error(), Err: err}
	case err != nil:
		return err
	}
	if r.replaces, err = r.dir.Incarnation(); err == nil {
		r.tombstones, err = r.dir.Tombstones(time.Now(), r.log)
	}
	if err == nil {
		if r.ends, err = r.dir.Ends(time.Now(), r.log); err != nil {
			err = errors.Join(err, r.tombstones.Close())
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("state directory: %w", err), r.dir.Close())
	}
	r.heir = r.replaces != ""
	for _, odd := range r.dir.Odd {
		r.log.Warn().Str("what", odd).Msg("something else lay in the state directory where a file of this host should; it goes on without")
	}
	if err := errors.Join(r.dir.Sweep(), r.dir.Prune(context.Background(), time.Now())); err != nil {
		r.log.Warn().Err(err).Msg("old logs and leftovers are not removed")
	}
	return nil
}

// serveQueue takes slot commands once this life is registered: before it no
// claim would be heard.
func (r *Runner) serveQueue(ctx context.Context) (stop func() error, err error) {
	if len(r.o.Services) == 0 {
		return func() error { return nil }, nil
	}
	types := make([]string, len(r.o.Services))
	for i := range r.o.Services {
		types[i] = r.o.Services[i].Type
	}
	server, err := queue.NewSlotServer(queue.Options{
		Redis: r.store.Client(), Namespace: r.store.Namespace(), Log: r.log,
		Concurrency: 32, StopTimeout: r.o.Beat,
	}, r.o.Host, types, r.command)
	if err != nil {
		return nil, err
	}
	r.holders.Go(func() {
		select {
		case <-r.registered:
			r.reads.Store(server)
			if err := server.Start(); err != nil {
				r.log.Debug().Err(err).Msg("slot commands are not read") // stopped before
				return
			}
			r.server.Store(server)
		case <-ctx.Done():
		}
	})
	return sync.OnceValue(func() error {
		limited, cancel := context.WithTimeout(context.Background(), 2*r.o.Beat)
		defer cancel()
		if err := server.Stop(limited); err != nil {
			r.log.Warn().Err(err).Msg("slot commands are still carried out")
		}
		return nil
	}), nil
}

// take finds or makes the holding of a reservation; nil if its token never
// starts again, or nothing is taken up any more.
func (r *Runner) take(v store.Reservation) *holding {
	if h := r.find(v.Token); h != nil {
		return h
	}
	h := r.newHolding(v)
	if r.isLeaving() || r.tombstones.Has(v.Token) || !r.enter(h, h.claim) {
		return r.find(v.Token)
	}
	return h
}

// enter begins a holding's life, unless its token has one: only one of all
// that would begin the same is let in, and after its end the tombstone or
// the store refuses it.
func (r *Runner) enter(h *holding, begin step) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holdings[h.token] != nil || r.work.Err() != nil {
		return false
	}
	r.holdings[h.token] = h
	r.holders.Go(func() {
		h.live(r.work, begin)
		if r.work.Err() != nil {
			return // Run lets go of it, and until then it is fed
		}
		r.mu.Lock()
		delete(r.holdings, h.token)
		r.mu.Unlock()
		if _, untold := r.untold.Load(h.token); untold {
			r.tellSoon()
		}
		if h.releasing.refused {
			r.lookSoon()
		}
	})
	return true
}

// letGo leaves everything to the next life, with as long a deadline as there
// is.
func (r *Runner) letGo() {
	for _, h := range r.all() {
		h.lastFeed()
		h.letGo()
	}
}

func (r *Runner) find(token string) *holding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holdings[token]
}

func (r *Runner) all() []*holding {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*holding, 0, len(r.holdings))
	for _, h := range r.holdings {
		out = append(out, h)
	}
	return out
}

func (r *Runner) isLeaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving
}

// call makes one call to the store, within one beat and not too many at once.
func (r *Runner) call(ctx context.Context, f func(ctx context.Context) error) error {
	select {
	case r.calls <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.calls }()
	limited, cancel := context.WithTimeout(ctx, r.o.Beat)
	defer cancel()
	return f(limited)
}

// claimCall is the one call that may wait for replicas.
func (r *Runner) claimCall(ctx context.Context, v store.Reservation) error {
	return r.call(ctx, func(ctx context.Context) error { return r.store.Claim(ctx, v, r.incarnation) })
}

// observe measures a first start.
func (r *Runner) observe(h *holding) {
	if r.o.Observe == nil {
		return
	}
	now := r.lease.serverTime(supervisor.Now())
	placed := stream.Issued(h.token)
	if now == 0 || placed == 0 || now < placed {
		return
	}
	r.o.Observe(Started{Type: h.stype, Since: time.Duration(now-placed) * time.Millisecond})
}
