package runners

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// leave takes no more work, ends what runs, releases each slot as it goes
// and says that the host is gone once it holds nothing. The heart beats on
// meanwhile, as what still stops has to live until it is stopped.
func (r *Runner) leave(ctx context.Context, final <-chan error, stopQueue func() error) error {
	r.log.Info().Str("host", r.o.Host).Msg("leaving: no more work is taken and what runs is stopped")
	r.mu.Lock()
	r.leaving = true
	r.mu.Unlock()
	r.endEach(endGently, stream.Because(stream.CodeHostLeaves), false)
	stopped := make(chan error, 1)
	go func() { stopped <- stopQueue() }()
	defer func() { <-stopped }()

	tick := time.NewTicker(min(r.o.Beat/4, 200*time.Millisecond))
	defer tick.Stop()
	farewell := r.farewell()
	for {
		if r.sayLeave(ctx) && len(r.all()) == 0 {
			r.log.Info().Str("host", r.o.Host).Msg("left")
			return nil
		}
		r.lookSoon() // what was placed here a moment ago is given back unclaimed
		select {
		case <-tick.C:
		case <-r.leaves:
			r.log.Warn().Str("host", r.o.Host).Msg("leaving at once: what runs is killed")
			r.endEach(endNow, stream.Because(stream.CodeHostLeaves), false)
		case err := <-final:
			return errors.Join(err, r.endAll(ctx, err))
		}
		if farewell.over(r.living()) {
			r.log.Warn().Str("host", r.o.Host).Msg("nothing runs here any more, but the store cannot be told; the lease will lapse")
			return nil
		}
	}
}

// farewell bounds how long a leaving host, on which nothing lives any more,
// tries to say so: for one lease, after which the store says it by itself.
type farewell struct {
	patience time.Duration
	since    time.Time
}

func (r *Runner) farewell() *farewell { return &farewell{patience: r.o.TTL} }

func (f *farewell) over(living bool) bool {
	switch {
	case living:
		f.since = time.Time{}
	case f.since.IsZero():
		f.since = time.Now()
	}
	return !living && time.Since(f.since) > f.patience
}

// sayLeave takes the services out of the store; true once it says that the
// host holds nothing.
func (r *Runner) sayLeave(ctx context.Context) bool {
	select {
	case <-r.registered:
	default:
		return !r.heir // it never was there; the life before may be
	}
	var held int
	err := r.call(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		held, err = r.store.Leave(ctx, r.holder())
		return err
	})
	if errors.Is(err, store.ErrStale) || err == nil && held == 0 {
		r.left.Store(true)
	}
	return r.left.Load()
}

// living tells whether anything may still run here.
func (r *Runner) living() bool {
	for _, h := range r.all() {
		if h.phaseNow() != PhaseReleasing && !h.static {
			return true
		}
	}
	return false
}

func (r *Runner) endEach(how ending, reason stream.Reason, drop bool) {
	for _, h := range r.all() {
		h.wishEnd(how, reason, 0, drop)
	}
}

// endAll ends everything because this runner may not go on, and waits for
// it, no longer than the children's deadlines last anyway.
func (r *Runner) endAll(ctx context.Context, why error) error {
	r.lease.lost()
	r.mu.Lock()
	r.leaving = true
	r.mu.Unlock()
	r.endEach(endNow, stream.Because(stream.CodeRunnerStops, "error", why.Error()), true)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.TTL)
	defer cancel()
	for _, h := range r.all() {
		select {
		case <-h.gone:
		case <-limited.Done():
			return errors.New("not everything it ran is gone; what is left ends at its deadline")
		}
	}
	return nil
}

// detach leaves the children as they are, with as long a deadline as one
// more beat can give them. Starts that have begun are finished first: Run
// waits for them.
func (r *Runner) detach(stopQueue func() error) error {
	stopped := make(chan error, 1)
	go func() { stopped <- stopQueue() }()
	changed := r.lease.next()
	poke(r.beatNow)
	timer := time.NewTimer(r.o.Beat)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
	err := <-stopped
	r.log.Info().Str("host", r.o.Host).Int("slots", len(r.all())).Msg("detached: what runs goes on until its deadline")
	return err
}
