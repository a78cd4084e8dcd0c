package runners

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
)

// heart renews the lease each beat and never does anything else: no slow
// slot, no crowded queue and no full disk stands before it. It returns when
// ctx is over, with nil, or with why this runner may not go on.
func (r *Runner) heart(ctx context.Context) error {
	tick := time.NewTicker(r.o.Beat)
	defer tick.Stop()
	p := pulse{r: r}
	for {
		again, err := p.beat(ctx)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		select {
		case <-tick.C:
		case <-r.beatNow:
		case <-ctx.Done():
			return nil
		}
	}
}

// firstBeat bounds the wait for the first answer of the store.
const firstBeat = 500 * time.Millisecond

// pulse is what the heart remembers from beat to beat.
type pulse struct {
	r          *Runner
	tried      bool
	registered bool
	ever       bool      // registered at least once
	away       bool      // the store did not answer the last time
	rev        int64     // of what this host should run
	warned     time.Time // when the log last said that the store is away
	refused    string    // the word of the refusal that it said
}

// beat does what is due once. again: there is more to do at once. An error
// is final.
func (p *pulse) beat(ctx context.Context) (again bool, final error) {
	r := p.r
	sent := supervisor.Now()
	limit := r.o.Beat
	if !p.tried {
		// Adopted children may have little time left: whether there is a
		// store has to be known soon.
		p.tried, limit = true, min(limit, firstBeat)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var b store.Beat
	var err error
	if p.registered {
		b, err = r.heartStore().Heartbeat(limited, r.holder())
	} else {
		b, err = r.register(limited)
	}
	switch {
	case err == nil:
		p.good(sent, b)
		return false, nil
	case ctx.Err() != nil:
		if p.away {
			r.lease.missed(supervisor.Now()) // as the beats before: it is the last word to what is let go of
		}
		return false, nil
	}
	return p.bad(err)
}

// good takes in a renewed lease.
func (p *pulse) good(sent int64, b store.Beat) {
	r := p.r
	r.lease.renewed(sent, b.Now, !p.registered)
	again := p.away || !p.registered
	if again || b.Rev != p.rev {
		r.lookSoon()
	}
	if server := r.server.Load(); server != nil && again {
		server.Wake()
	} else if server != nil && b.Rev != p.rev {
		server.Changed()
	}
	if p.away {
		r.log.Info().Str("host", r.o.Host).Msg("the store is back")
	}
	if !p.registered {
		if err := r.dir.SetIncarnation(r.incarnation); err != nil {
			// The next life will name an older predecessor and be told.
			r.log.Error().Err(err).Msg("the incarnation is not written down")
		}
		r.log.Info().Str("host", r.o.Host).Str("state", string(b.State)).Bool("again", p.ever).Msg("registered")
		r.onceRegistered.Do(func() { close(r.registered) })
	}
	p.registered, p.ever, p.away, p.rev = true, true, false, b.Rev
}

// bad decides what an error means.
func (p *pulse) bad(err error) (again bool, final error) {
	r := p.r
	var changed *store.ChangedError
	var taken *store.TakenError
	var replaced *store.ReplacedError
	switch {
	case errors.Is(err, store.ErrUnknownHost) && r.left.Load():
		return false, nil
	case errors.Is(err, store.ErrUnknownHost):
		// Reaped, or the store was emptied: what is held is told anew.
		r.log.Warn().Str("host", r.o.Host).Msg("the store does not know this host any more; registering again")
		p.registered = false
		r.queue.Reset()
		return true, nil
	case errors.As(err, &changed):
		r.replaces = changed.Incarnation
		return true, nil
	case errors.As(err, &taken) && taken.Left <= 0:
		p.warn(err, "waiting to be accepted")
		return false, nil
	case errors.As(err, &taken):
		return false, &RefusedError{Why: taken.Error(), Err: err}
	case errors.As(err, &replaced) && earlier(replaced.Incarnation, r.incarnation):
		// It was set back to before this life. Of two lives of one state
		// directory the earlier one never takes the host back, so that not
		// even the twins of a copied directory take it from each other.
		r.log.Warn().Err(err).Str("host", r.o.Host).Msg("the store was set back to older data; registering again")
		p.registered, r.replaces = false, replaced.Incarnation
		return true, nil
	case errors.Is(err, store.ErrStale):
		return false, fmt.Errorf("%w: %w", ErrReplaced, err)
	case errors.Is(err, store.ErrSchema):
		return false, err
	}
	r.lease.missed(supervisor.Now())
	p.away = true
	p.warn(err, "waiting for the store; what runs here goes on as its service says (on_store_loss)")
	return false, nil
}

// newIncarnation names a life; it begins with the time in ms.
func newIncarnation(now time.Time) string {
	return strconv.FormatInt(now.UnixMilli(), 10) + "-" + rand.Text()[:12]
}

// earlier tells whether the life named a began before b.
func earlier(a, b string) bool {
	since := func(incarnation string) int64 {
		ms, _, _ := strings.Cut(incarnation, "-")
		n, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return math.MaxInt64 // edited by hand: whoever that is, it is not known to be earlier
		}
		return n
	}
	return since(a) < since(b)
}

// warn says so now, once a minute, and when Redis refuses for another reason.
func (p *pulse) warn(err error, what string) {
	r, refused := store.RefusalOf(err)
	if time.Since(p.warned) < time.Minute && (!refused || r.Word == p.refused) {
		return
	}
	p.warned, p.refused = time.Now(), r.Word
	if refused {
		what = "Redis refuses this host; " + what
	}
	p.r.log.Warn().Str("error", store.Explain(err)).Str("host", p.r.o.Host).Msg(what)
}

// register begins this life, or tells an emptied store of it.
func (r *Runner) register(ctx context.Context) (store.Beat, error) {
	s := r.heartStore()
	if err := s.Begin(ctx); err != nil {
		return store.Beat{}, err
	}
	return s.Register(ctx, store.Registration{
		Holder: r.holder(), Replaces: r.replaces, HostID: r.dir.HostID, TTL: r.o.TTL, Beat: r.o.Beat,
		URL: r.o.URL, Version: r.o.Version, Lacks: r.o.Lacks, Labels: r.o.Labels,
		Pools: r.o.Pools, PoolJobs: r.o.PoolJobs, Offers: r.offers(),
	})
}

func (r *Runner) offers() []store.Offer {
	offers := make([]store.Offer, 0, len(r.o.Services)+len(r.o.Extra))
	for i := range r.o.Services {
		offers = append(offers, offer(&r.o.Services[i]))
	}
	return append(offers, r.o.Extra...)
}

func (r *Runner) holder() store.Holder {
	return store.Holder{Host: r.o.Host, Incarnation: r.incarnation}
}

func (r *Runner) heartStore() *store.Store {
	if r.o.Heart != nil {
		return r.o.Heart
	}
	return r.store
}
