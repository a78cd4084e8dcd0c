package runners

import (
	"context"
	"time"
)

// awayGrace is how long after a publisher was listed again the exits of its
// children still count for nothing: the ingest may list a stream before it
// serves it.
const awayGrace = 15 * time.Second

// publisher is what a holding knows of its stream's publisher: while that is
// away, exits say nothing about the child.
type publisher struct {
	away  bool
	grace time.Time // exits count for nothing until then
	told  bool      // what the supervisor believes
	up    time.Time // since when the child runs; zero: it does not
}

// seen takes in how the publisher stands before the child is started.
func (p *publisher) seen(away bool) { p.away = away }

// resume takes in what an adopted supervisor believes. If that is away, the
// next look tells whether it still is.
func (p *publisher) resume(told bool) {
	p.told = told
	p.away = p.away || told
}

func (p *publisher) began(now time.Time) { p.up = now }
func (p *publisher) ended()              { p.up = time.Time{} }

// well tells whether the child has run for so long.
func (p *publisher) well(now time.Time, long time.Duration) bool {
	return !p.up.IsZero() && now.Sub(p.up) >= long
}

// lenient tells whether exits count for nothing.
func (p *publisher) lenient(now time.Time) bool { return p.away || now.Before(p.grace) }

// look takes in whether the source lists the stream. A publisher that is
// back starts a waiting child at once, with fresh backoff.
func (p *publisher) look(ctx context.Context, h *holding, away bool) {
	back := p.away && !away
	p.away = away
	if back {
		p.grace = time.Now().Add(awayGrace)
	}
	p.tick(ctx, h)
	sup := h.supervisor()
	if !back || sup == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := sup.Kick(ctx); err != nil {
		h.logger().Debug().Err(err).Msg("a waiting child is not started at once")
	}
}

// tick tells the supervisor what it should believe, if that is news.
func (p *publisher) tick(ctx context.Context, h *holding) {
	sup, want := h.supervisor(), p.lenient(time.Now())
	if sup == nil || want == p.told {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := sup.SetAway(ctx, want); err != nil {
		h.logger().Debug().Err(err).Msg("the supervisor is not told how the publisher stands")
		return
	}
	p.told = want
}
