package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/store"
	"stream-api/stream"
)

// Announcer is the part of the store that pollers speak to.
type Announcer interface {
	// Announce tells of a good poll.
	Announce(ctx context.Context, p store.Poll) (store.PollResult, error)
	// Announced is what Redis knows of a source.
	Announced(ctx context.Context, source string) (store.AnnouncedSet, error)
	// SourceFailed tells of a failed poll: none of the source's streams is
	// gone, and the source is unknown if nobody had a good poll for patience.
	SourceFailed(ctx context.Context, source string, info store.SourceInfo, poller, problem string, patience time.Duration) error
	// OfferRules holds the rules of the file against those in force.
	OfferRules(ctx context.Context, o store.RulesOffer) (store.RulesAnswer, error)
}

// Hinter makes a scheduler look at keys at once. Losing a hint loses only
// time: the keys are marked in Redis already.
type Hinter interface {
	Appeared(ctx context.Context, keys ...string) error
	Gone(ctx context.Context, keys ...string) error
}

// Deps is what a Poller works with.
type Deps struct {
	Store Announcer
	Hints Hinter
	// ID is the host, which tells this process from other pollers of the same source.
	ID  string
	Log zerolog.Logger
	// Memory keeps the rules in force over restarts; nil: nothing does.
	Memory *Memory
	// Output is the guard against loops: a source that lists what a slot of
	// another stream publishes is no publisher. Nil: nothing is published.
	Output Output
}

const (
	// storeTimeout bounds one call of the store. The client's own timeouts
	// are shorter; this is the net below them.
	storeTimeout = 5 * time.Second
	// maxBackoff bounds the wait after failed polls.
	maxBackoff = 10 * time.Second
	// maxRedo bounds how often one poll starts anew because other pollers
	// were quicker.
	maxRedo = 5
	// outputsKept is how long what slots publish is taken to be the same for
	// streams that were there before. A new stream is worth a fresh reading:
	// what is ours was published before the ingest could list it.
	outputsKept = time.Minute
)

// Poller lists one source over and over and announces what it finds.
type Poller struct {
	cfg    Config // under the rules in force, once they are known
	deps   Deps
	log    zerolog.Logger
	lister lister
	wake   chan struct{}

	// Of Run's loop alone.
	standing    standing
	rhythm      rhythm
	known       store.AnnouncedSet
	loaded      bool  // known was read from the store
	lastGood    int64 // store time of the previous good poll
	memory      map[string]remembered
	unproven    bool      // a mount was judged since the outputs were read
	proven      time.Time // when they were
	stalls      stallWatch
	told        told
	warning     lasting
	failures    int // polls of the ingest failed in a row
	storeErrors int // calls of the store failed in a row

	mu    sync.Mutex
	stats Stats
}

// remembered is the verdict on a mount as it was listed last.
type remembered struct {
	mount   stream.Mount
	verdict *verdict
}

// New makes a Poller. The error names everything wrong with the configuration.
func New(cfg Config, deps Deps) (*Poller, error) {
	written := cfg
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	p := &Poller{
		cfg:    cfg,
		deps:   deps,
		log:    deps.Log.With().Str("source", cfg.Name).Logger(),
		lister: cfg.lister(),
		wake:   make(chan struct{}, 1),
		rhythm: rhythm{interval: cfg.Interval},
		stalls: stallWatch{after: cfg.StallAfter},
		told:   told{},
		stats:  Stats{Source: cfg.Name, Type: cfg.kind(), State: stream.SourceUnknown},
	}
	p.stand(written)
	return p, nil
}

// Name is the source's name.
func (p *Poller) Name() string { return p.cfg.Name }

// Wake makes the next poll come at once, followed by a few more within the
// interval, because an ingest may call its hook before it lists the stream.
// It never blocks and may be called by anybody as often as they like: polls
// are at least 50 ms apart.
func (p *Poller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // a wake is waiting already
	}
}

// Run polls until ctx ends, and returns nil then.
func (p *Poller) Run(ctx context.Context) error {
	defer p.lister.close()
	p.rhythm.origin = time.Now()
	next := p.rhythm.origin
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
			p.count(func(s *Stats) { s.Woken++ })
			p.rhythm.wake(time.Now())
		case <-timer.C:
			if time.Now().Before(next) {
				p.repeat(ctx)
				break
			}
			p.rhythm.begin(time.Now())
			retry := p.poll(ctx)
			p.rhythm.end(time.Now(), retry)
		}
		now := time.Now()
		next = p.rhythm.next(now)
		timer.Reset(p.standing.sooner(next).Sub(now))
	}
}

// poll is one poll; it returns when to try again if it failed.
//
// The set to compare with is read before the ingest is asked, and when another
// poller changed it meanwhile both are read anew: what is compared is always
// listed later than what Redis knows, so an older answer never undoes what a
// newer one announced.
func (p *Poller) poll(ctx context.Context) (retry time.Time) {
	for range maxRedo {
		wait, err := p.settle(ctx)
		if wait > 0 {
			return time.Now().Add(min(wait, time.Second))
		}
		err = errors.Join(err, p.load(ctx))
		v, info, ok, outErr := p.ask(ctx)
		err = errors.Join(err, outErr)
		switch {
		case ctx.Err() != nil:
			return time.Time{} // our own end says nothing about the source
		case !ok:
			return time.Now().Add(backoff(p.failures, p.cfg.Interval, maxBackoff))
		}
		var result store.PollResult
		if err == nil {
			result, err = p.announce(ctx, v, info)
		}
		p.stored(ctx, err)
		switch {
		case err != nil:
			// Sooner than the next tick of a slow source, but no faster than
			// a quick one.
			return time.Now().Add(min(p.cfg.Interval, backoff(p.storeErrors, 250*time.Millisecond, maxBackoff)))
		case !result.Stale:
			if result.NextGone > 0 {
				p.rhythm.due = time.Now().Add(result.NextGone)
			}
			p.hint(ctx, result)
			return time.Time{}
		}
	}
	return time.Time{} // many pollers, many changes; the next tick is soon
}

// ask asks the ingest and judges its answer; ok is false if it told nothing.
// With an error it could not be told which streams are our own output.
func (p *Poller) ask(ctx context.Context) (v view, info store.SourceInfo, ok bool, err error) {
	begun := time.Now()
	listCtx, cancel := context.WithTimeoutCause(ctx, p.cfg.Timeout, errTimeout)
	var l listing
	l, err = p.lister.list(listCtx)
	cancel()
	took := time.Since(begun)
	if ctx.Err() != nil {
		return view{}, store.SourceInfo{}, false, nil
	}
	if err != nil {
		p.failed(ctx, err, took)
		return view{}, store.SourceInfo{}, false, nil
	}
	verdicts := p.judge(l.mounts)
	own, err := p.outputs(ctx)
	v = survey(l, verdicts, own)
	v.ended = make(map[string]bool, len(l.ended))
	for _, name := range l.ended {
		v.ended[p.cfg.key(name)] = true
	}
	if p.loaded { // else nothing is announced before it is known what is
		v.bound(p.known, p.cfg.MaxStreams)
	}
	info = p.info()
	if v.over > 0 {
		info.Over, info.OverExample, info.Max = v.over, v.overOf, p.cfg.MaxStreams
	}
	info.Refused, info.Example, info.Warning = v.refused, v.example, p.warning.note(begun, l.warning)
	info.Stalled = p.stalls.observe(begun, v.bytes, v.earlier)
	p.good(l, v, info, took)
	return v, info, true, err
}

// outputs is what our slots publish, read anew if a mount was not there before.
func (p *Poller) outputs(ctx context.Context) (Outputs, error) {
	if p.deps.Output == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := time.Now()
	fresh := p.unproven || now.Sub(p.proven) >= outputsKept
	own, err := p.deps.Output(ctx, fresh)
	if err != nil {
		return own, fmt.Errorf("read what slots publish: %w", err)
	}
	if fresh {
		p.unproven, p.proven = false, now
	}
	return own, nil
}

// info is what is known of the source without asking it.
func (p *Poller) info() store.SourceInfo {
	return store.SourceInfo{URL: p.cfg.asked(), Type: p.cfg.kind(), Digest: p.cfg.digest(), Expect: p.cfg.Expect}
}

// judge is the verdicts on the mounts, one each. Most mounts are listed as
// they were a second ago; their verdicts are remembered.
func (p *Poller) judge(mounts []stream.Mount) []*verdict {
	memory := make(map[string]remembered, len(mounts))
	verdicts := make([]*verdict, len(mounts))
	for i, m := range mounts {
		r, known := p.memory[m.Key]
		if !known || r.mount.Session != m.Session || !maps.Equal(r.mount.Vars, m.Vars) {
			v := p.cfg.judge(m)
			r = remembered{mount: m, verdict: &v}
			p.unproven = true
		}
		memory[m.Key], verdicts[i] = r, r.verdict
	}
	p.memory = memory
	return verdicts
}

// load reads what Redis knows of the source, unless that is known.
func (p *Poller) load(ctx context.Context) error {
	if p.loaded {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	known, err := p.deps.Store.Announced(ctx, p.cfg.Name)
	if err != nil {
		return fmt.Errorf("load announced streams: %w", err)
	}
	p.known, p.loaded = known, true
	return nil
}

// announce tells the store the difference between what is listed and what it
// knows, in one call. A stale result means that nothing was applied and that
// the set has to be loaded again.
func (p *Poller) announce(ctx context.Context, v view, info store.SourceInfo) (store.PollResult, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	poll := store.Poll{
		Source: p.cfg.Name, Poller: p.deps.ID, Version: p.known.Version, Known: len(p.known.Entries),
		LastGood: p.lastGood, GoneAfter: p.cfg.GoneAfter, Info: info, Rules: p.standing.applied,
	}
	poll.Upsert, poll.Absent, poll.Back = difference(v, p.known)
	result, err := p.deps.Store.Announce(ctx, poll)
	p.standing.announced(result, err)
	switch {
	case err != nil:
		return store.PollResult{}, fmt.Errorf("announce: %w", err)
	case result.Stale:
		p.loaded = false
		p.count(func(s *Stats) { s.Stale++ })
		return result, nil
	}
	p.known = applied(p.known, poll, result)
	p.lastGood = result.Now
	return result, nil
}

// hint passes on what changed.
func (p *Poller) hint(ctx context.Context, r store.PollResult) {
	if len(r.Changed) > 0 {
		p.hinted(p.deps.Hints.Appeared(ctx, r.Changed...))
	}
	if len(r.Gone) > 0 {
		p.hinted(p.deps.Hints.Gone(ctx, r.Gone...))
	}
}
