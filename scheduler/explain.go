package scheduler

import (
	"context"
	"slices"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// explainAll writes down why the slots that a pass left wait, where that is
// news.
func (s *Scheduler) explainAll(ctx context.Context, p *pass) error {
	left := p.left[:min(len(p.left), maxExplained)]
	if len(left) == 0 {
		return nil
	}
	notes, err := s.explainEach(ctx, p, left)
	if err != nil {
		return err
	}
	return s.note(ctx, notes)
}

// note writes reasons down, some at a time.
func (s *Scheduler) note(ctx context.Context, notes []store.Noted) error {
	for part := range slices.Chunk(notes, passPage) {
		if _, err := s.store.Note(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scheduler) explainEach(ctx context.Context, p *pass, left []store.Circumstances) ([]store.Noted, error) {
	var notes []store.Noted
	note := func(c store.Circumstances, why stream.Reason) {
		if !why.IsZero() && !why.Is(c.Reason) {
			notes = append(notes, store.Noted{Key: c.Key, Instance: c.Instance, Reason: why})
		}
	}
	if !p.hold.IsZero() {
		for _, c := range left {
			note(c, stream.Because(stream.CodeOnHold).After(p.hold))
		}
		return notes, nil
	}
	hosts, err := s.view.get(ctx)
	if err != nil {
		return nil, err
	}
	view := placement.NewView(p.stype, p.rules, servicesOf(p.stype, hosts))
	if err := s.store.Beside(ctx, left); err != nil {
		return nil, err
	}
	chains, err := s.chainsOf(ctx, p, left)
	if err != nil {
		return nil, err
	}
	for _, c := range left {
		note(c, view.Explain(waitingSlot(c), chains[c.Key]))
	}
	return notes, nil
}

// chainsOf reads what the slots that wait for variables must know of the rest
// of their chains.
func (s *Scheduler) chainsOf(ctx context.Context, p *pass, left []store.Circumstances) (map[string]placement.Chain, error) {
	var keys []string
	needy := len(placement.Needs(p.rules)) > 0
	for _, c := range left {
		if (needy || len(c.Needs) > 0) && len(placement.Candidates(waitingSlot(c), p.rules)) == 0 {
			keys = append(keys, c.Key)
		}
	}
	records, err := s.store.Records(ctx, keys)
	if err != nil {
		return nil, err
	}
	byType := map[string][]placement.Class{}
	out := make(map[string]placement.Chain, len(records))
	for _, r := range records {
		if out[r.Key], err = s.rules.chain(ctx, r, byType); err != nil {
			return nil, err
		}
	}
	return out, nil
}
