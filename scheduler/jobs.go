package scheduler

import (
	"context"
	"maps"
	"slices"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// jobPass is one way down the jobs of a type, after the slots of all types had their turn: it
// gives them what no slot waits for. Where a host was refused to one that is bound to it, the
// others that are bound to it are not even read.
type jobPass struct {
	s        *Scheduler
	stype    string
	thorough bool
	rules    []placement.Class
	services []placement.Service
	reserved map[string]bool
	closed   []string // those hosts
	weighed  []string // types whose slots were looked at
	known    placement.Known
	shut     map[string]bool // hosts that were refused to what is bound to them
	hold     stream.Reason
	placed   int
	left     []store.Circumstances
}

// placeJobs has the jobs of a type placed.
func (s *Scheduler) placeJobs(ctx context.Context, t string, thorough bool) (int, error) {
	first, err := s.store.PendingJobs(ctx, t, 0, 1)
	if err != nil || len(first) == 0 {
		return 0, err
	}
	rules, err := s.rules.rules(ctx, t)
	if err != nil {
		return 0, err
	}
	hosts, err := s.view.get(ctx)
	if err != nil {
		return 0, err
	}
	services := map[string][]placement.Service{t: servicesOf(t, hosts)}
	for other := range s.hungry {
		services[other] = servicesOf(other, hosts)
	}
	p := jobPass{
		s: s, stype: t, thorough: thorough, rules: rules, services: services[t], reserved: placement.Reserved(t, services, s.hungry),
		weighed: slices.Sorted(maps.Keys(s.hungry)),
	}
	p.closed, p.shut = slices.Sorted(maps.Keys(p.reserved)), maps.Clone(p.reserved)
	if err := p.run(ctx); err != nil {
		return p.placed, err
	}
	return p.placed, p.explain(ctx)
}

func (p *jobPass) run(ctx context.Context) error {
	for offset := 0; p.hold.IsZero(); {
		waiting, err := p.s.store.PendingJobs(ctx, p.stype, offset, passPage)
		if err != nil {
			return err
		}
		jobs, err := p.s.store.Circumstances(ctx, p.worth(waiting), nil)
		if err != nil {
			return err
		}
		before := p.placed
		for batch := range slices.Chunk(jobs, passBatch) {
			if err := p.batch(ctx, batch); err != nil {
				return err
			}
		}
		offset += len(waiting) - (p.placed - before)
		if len(waiting) < passPage {
			break
		}
	}
	return nil
}

// maxBound bounds what is remembered of where jobs are bound to.
const maxBound = 100_000

// worth are the jobs that may have a place, or whose reason is to be written.
func (p *jobPass) worth(waiting []store.Waiting) []store.Waiting {
	if p.thorough && len(p.left) < maxExplained {
		return waiting
	}
	return slices.DeleteFunc(waiting, func(w store.Waiting) bool {
		host, known := p.s.bound[stream.Member(w.Key, w.Instance)]
		return known && (host != "" && p.shut[host] || host == "" && p.allFull())
	})
}

func (p *jobPass) allFull() bool {
	return !slices.ContainsFunc(p.rules, func(c placement.Class) bool { return c.Rule != nil && !p.known.Full(c.ID) })
}

// batch asks for places for some jobs in order.
func (p *jobPass) batch(ctx context.Context, jobs []store.Circumstances) error {
	if len(p.s.bound) > maxBound {
		clear(p.s.bound)
	}
	var searches []search
	var requests []store.Request
	for _, c := range jobs {
		if c.State != stream.Pending {
			continue // placed or gone since the queue was read
		}
		p.s.bound[stream.Member(c.Key, c.Instance)] = c.Only
		a := search{instance: c}
		switch slot := waitingSlot(c); {
		case c.Only != "" && !p.shut[c.Only]:
			if home := placement.HomeOf(slot, p.rules, p.services); len(home) > 0 {
				a.requests = [][]placement.Candidate{home}
			}
		case c.Only == "":
			a.requests = placement.Plan(slot, placement.Candidates(slot, p.rules), &p.known, store.MaxClasses)
		}
		if len(a.requests) == 0 || !p.hold.IsZero() {
			p.left = append(p.left, c)
			continue
		}
		asks := a.asks(p.closed)
		for i := range asks {
			asks[i].Weighed = p.weighed
		}
		searches, requests = append(searches, a), append(requests, asks...)
	}
	answers, err := p.s.store.Place(ctx, requests)
	if err != nil {
		return err
	}
	placed := p.placed
	for _, a := range searches {
		n := len(a.requests)
		p.learn(a, answers[:n])
		answers = answers[n:]
	}
	if p.placed > placed {
		p.s.sends.ring()
	}
	return nil
}

func (p *jobPass) learn(a search, answers []store.Placement) {
	known := &p.known
	if a.instance.Only != "" {
		known = &placement.Known{} // what is refused at its home says nothing of its class
	}
	switch result := a.outcome(answers, known); result.Outcome {
	case store.Placed:
		p.placed++
		delete(p.s.bound, stream.Member(result.Key, result.Instance))
		p.s.logPlaced(result)
	case store.OnHold:
		p.hold = result.Reason
		p.left = append(p.left, a.instance)
	case store.Full:
		if a.instance.Only != "" {
			p.shut[a.instance.Only] = true
		}
		p.left = append(p.left, a.instance)
	case store.Broken:
		p.s.brokenStream(result.Key, result.Err)
	case store.Taken:
	}
}

// explain writes down why jobs wait, where that is news.
func (p *jobPass) explain(ctx context.Context) error {
	if !p.thorough {
		return nil
	}
	view := placement.NewView(p.stype, p.rules, p.services)
	var notes []store.Noted
	for _, c := range p.left[:min(len(p.left), maxExplained)] {
		why := view.ExplainJob(waitingSlot(c), p.reserved)
		if !p.hold.IsZero() {
			why = stream.Because(stream.CodeOnHold).After(p.hold)
		}
		if !why.IsZero() && !why.Is(c.Reason) {
			notes = append(notes, store.Noted{Key: c.Key, Instance: c.Instance, Reason: why})
		}
	}
	return p.s.note(ctx, notes)
}
