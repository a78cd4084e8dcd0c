package sources

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// Stats is what a poller counted since its start, for metrics and status
// pages.
type Stats struct {
	Source string
	Type   string
	State  stream.SourceState
	// Problem is why the state is unknown, StoreProblem why nothing can be
	// announced; else empty.
	Problem, StoreProblem string
	// LastGood is when the last good answer came, on this host's clock.
	LastGood time.Time
	// Duration and Bytes are of the last answer: how long it took, how large
	// it was.
	Duration time.Duration
	Bytes    int

	Good        uint64 // good polls
	Failed      uint64 // polls that told nothing
	Woken       uint64 // wakes taken, each of which may stand for many
	Stale       uint64 // polls made anew because another poller was quicker
	StoreFailed uint64 // answers that could not be told to the store
	HintsFailed uint64 // hints that could not be queued; only time is lost

	// Of the last good poll.
	Streams int // announced
	Ignored int // left out by match
	Refused int // may not be announced
	Over    int // new, beyond max_streams
	Stalled int // listed without new bytes
	Example string
	Warning string
}

// Stats is a copy of the poller's counters.
func (p *Poller) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *Poller) count(change func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.stats)
}

// failed notes a poll that told nothing, and tells the store.
func (p *Poller) failed(ctx context.Context, err error, took time.Duration) {
	p.failures++
	if p.failures == 1 {
		p.log.Warn().Str("state", string(stream.SourceUnknown)).Str("reason", err.Error()).
			Msg("the source cannot be read; its streams stay as they are")
	}
	p.count(func(s *Stats) {
		s.Failed++
		s.State, s.Problem, s.Duration = stream.SourceUnknown, err.Error(), took
	})
	if !p.standing.failing() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	// Another poller of the source is given two polls' time to see it.
	patience := 2*p.cfg.Interval + 500*time.Millisecond
	p.stored(ctx, p.deps.Store.SourceFailed(ctx, p.cfg.Name, p.info(), p.deps.ID, err.Error(), patience))
}

// good notes an answer of the ingest. Lines are logged only when something
// is other than it was, for good: what comes and goes is said once.
func (p *Poller) good(l listing, v view, info store.SourceInfo, took time.Duration) {
	before := p.Stats()
	p.failures = 0
	if before.State != stream.SourceGood {
		p.log.Info().Str("state", string(stream.SourceGood)).Int("streams", len(v.present)).
			Msg("the source is read")
	}
	now := time.Now()
	if v.refused > 0 && p.told.first(now, "refused") {
		p.log.Warn().Int("refused", v.refused).Str("reason", v.example).Msg("mounts are refused")
	}
	if v.over > 0 && p.told.first(now, "over") {
		p.log.Warn().Int("refused", v.over).Int("max_streams", p.cfg.MaxStreams).Str("stream", v.overOf).
			Msg("new streams are refused: the source announces as many as it may")
	}
	if l.warning != "" && p.told.first(now, l.warning) {
		p.log.Warn().Str("reason", l.warning).Msg("the source should be mended")
	}
	if len(info.Stalled) > 0 && p.told.first(now, "stalled") {
		p.log.Warn().Strs("stream", info.Stalled[:min(len(info.Stalled), 10)]).Int("stalled", len(info.Stalled)).
			Msg("streams are listed while no bytes come in")
	}
	p.count(func(s *Stats) {
		s.Good++
		s.State, s.Problem = stream.SourceGood, ""
		s.LastGood, s.Duration, s.Bytes = now, took, l.bytes
		s.Streams, s.Ignored, s.Refused, s.Over = len(v.present), v.ignored, v.refused, v.over
		s.Example, s.Warning, s.Stalled = v.example, info.Warning, len(info.Stalled)
	})
}

// stored notes whether the store took what it was told.
func (p *Poller) stored(ctx context.Context, err error) {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // we are ending
	}
	if err == nil {
		if p.storeErrors > 0 {
			p.log.Info().Int("failures", p.storeErrors).Msg("announcing again")
			p.count(func(s *Stats) { s.StoreProblem = "" })
		}
		p.storeErrors = 0
		return
	}
	p.storeErrors++
	p.count(func(s *Stats) { s.StoreFailed++; s.StoreProblem = err.Error() })
	if p.storeErrors > 1 {
		return
	}
	line, taken := p.log.Warn().Str("reason", err.Error()), (*store.SourceTakenError)(nil)
	if errors.As(err, &taken) {
		line.Msg("another source has this name; nothing of this one is announced")
		return
	}
	line.Msg("nothing can be announced; polling goes on")
}

// hinted notes whether a hint was queued.
func (p *Poller) hinted(err error) {
	if err == nil {
		return
	}
	p.count(func(s *Stats) { s.HintsFailed++ })
	p.log.Debug().Str("reason", err.Error()).Msg("a hint is lost; the next pass finds the keys")
}
