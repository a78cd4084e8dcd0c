package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

const (
	// passPage is how many pending slots are read at once, passBatch how many
	// requests one transaction of the store takes: some 1.5 ms of its time.
	passPage  = 256
	passBatch = 64
	// maxExplained bounds the slots of a type whose reasons one pass writes.
	maxExplained = 2000
)

// place is the loop of placing passes: over the types that were touched, and
// once each Net over all types, which also writes down why slots wait.
func (s *Scheduler) place(ctx context.Context) (time.Duration, error) {
	types, keys := s.touched.take()
	woken := s.idle.wakeUp(keys)
	thorough := s.netDue()
	if thorough || len(keys) > 0 {
		all, err := s.store.SlotTypes(ctx)
		if err != nil {
			return 0, err
		}
		if thorough {
			types = all
		} else if types, err = s.withNeedy(ctx, slices.Compact(slices.Sorted(slices.Values(append(types, woken...)))), all); err != nil {
			return 0, err
		}
	}
	types, err := s.store.PendingTypes(ctx, types)
	if err != nil {
		return 0, err
	}
	var refused error
	types = s.near.sort(types)
	if thorough || s.hungry == nil {
		s.hungry = map[string]*placement.Hunger{}
	}
	waited, placed := false, 0
	for i, t := range types {
		p := pass{s: s, stype: t, thorough: thorough, later: setOf(types[i+1:]), others: map[string][]placement.Class{}}
		err := p.run(ctx)
		if s.hungry[t] = &p.hungry; err != nil {
			p.hungry.WaitAll()
			s.touched.add(t)
			if store.IsWrongType(err) {
				refused = err // of this type; the others are served
				continue
			}
			return 0, err
		}
		s.counts.placed.Add(uint64(p.placed))
		placed += p.placed
		if p.waited {
			s.touched.add(t)
			waited = true
		}
	}
	for _, t := range types { // after all slots
		n, err := s.placeJobs(ctx, t, thorough)
		s.counts.placed.Add(uint64(n))
		if err != nil {
			s.touched.add(t)
			return 0, err
		}
	}
	if thorough {
		s.netDone = time.Now()
	}
	switch {
	case waited && placed > 0:
		s.places.ring() // perhaps that was what they wait for
	case waited:
		return nearPatience / 8, refused
	}
	return 0, refused
}

func setOf(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

func (s *Scheduler) netDue() bool { return time.Since(s.netDone) >= s.o.Net }

// withNeedy adds the types of which some service waits for variables.
func (s *Scheduler) withNeedy(ctx context.Context, types, all []string) ([]string, error) {
	chosen := make(map[string]bool, len(types))
	for _, t := range types {
		chosen[t] = true
	}
	for _, t := range all {
		if chosen[t] {
			continue
		}
		rules, err := s.rules.rules(ctx, t)
		if err != nil {
			return nil, err
		}
		if len(placement.Needs(rules)) > 0 {
			types = append(types, t)
		}
	}
	return types, nil
}

// pass is one way down the queue of a type, from the top: by priority, then
// age. What was found full for one slot is not tried for a later one of the
// same pass, and the requests of a batch are one transaction of the store; so a
// slot never gets what one before it was refused.
type pass struct {
	s        *Scheduler
	stype    string
	thorough bool            // to the end of the queue, writing down reasons
	known    placement.Known // of room
	rules    []placement.Class
	hungry   placement.Hunger // what slots wait for in vain
	hold     stream.Reason    // nothing is given now, and why
	placed   int
	left     []store.Circumstances        // pending still
	idle     map[idleInstance]bool        // known to wait for variables
	later    map[string]bool              // types that have their turn after this one
	now      int64                        // server ms, when relations were read last
	waited   bool                         // some slot waits for a place of what it is to be near to
	others   map[string][]placement.Class // of types of sidecars
	looked   []store.HostRecord           // the look at hosts that offers are of
	offers   map[string][]placement.Service
}

func (p *pass) run(ctx context.Context) error {
	rules, err := p.s.rules.rules(ctx, p.stype)
	if err != nil {
		return err
	}
	p.rules, p.idle = rules, p.s.idle.under(p.stype, rules, p.thorough)
	needs := placement.Needs(rules)
	for offset := 0; ; {
		waiting, err := p.s.store.Pending(ctx, p.stype, offset, passPage)
		if err != nil {
			return err
		}
		instances, err := p.s.store.Circumstances(ctx, p.awake(waiting), needs)
		if err != nil {
			return err
		}
		if err := p.relate(ctx, instances); err != nil {
			return err
		}
		before := p.placed
		if err := p.page(ctx, targetsFirst(instances)); err != nil {
			return err
		}
		offset += len(waiting) - (p.placed - before)
		if len(waiting) < passPage {
			break
		}
		if p.done() {
			p.hungry.WaitAll()
			break
		}
	}
	if !p.thorough {
		return nil
	}
	return p.s.explainAll(ctx, p)
}

// done tells that going on down the queue can place nothing more.
func (p *pass) done() bool {
	if p.thorough {
		return len(p.left) >= maxExplained && (!p.hold.IsZero() || p.nothingOpen())
	}
	return !p.hold.IsZero() || p.nothingOpen()
}

func (p *pass) nothingOpen() bool {
	for _, r := range p.rules {
		if r.Rule != nil && !p.known.Full(r.ID) {
			return false
		}
	}
	return true
}

// awake leaves out the slots that are known to wait for variables.
func (p *pass) awake(waiting []store.Waiting) []store.Waiting {
	if len(p.idle) == 0 {
		return waiting
	}
	out := make([]store.Waiting, 0, len(waiting))
	for _, w := range waiting {
		if !p.idle[idleInstance{w.Key, w.Instance}] {
			out = append(out, w)
		}
	}
	return out
}

// relate reads what the slots' places depend on.
func (p *pass) relate(ctx context.Context, instances []store.Circumstances) error {
	now, err := p.s.store.Relate(ctx, instances)
	p.now = max(now, p.now)
	return err
}

// relateAgain does so for those that depend on slots that were asked for meanwhile.
func (p *pass) relateAgain(ctx context.Context, instances []store.Circumstances, asked map[string]bool) error {
	var some []store.Circumstances
	var at []int
	for i, c := range instances {
		if unsettled(c, asked) {
			some, at = append(some, c), append(at, i)
		}
	}
	if err := p.relate(ctx, some); err != nil {
		return err
	}
	for k, i := range at {
		instances[i] = some[k]
	}
	return nil
}

// page asks for places for some slots in order.
func (p *pass) page(ctx context.Context, instances []store.Circumstances) error {
	before := map[string]bool{} // slots that were asked for since relations were read
	for len(instances) > 0 {
		asked := map[string]bool{}
		if unsettled(instances[0], before) {
			if err := p.relateAgain(ctx, instances, before); err != nil {
				return err
			}
			clear(before)
		}
		var searches []search
		var requests []store.Request
		heads, most, err := p.heads(ctx)
		if err != nil {
			return err
		}
		closed := p.known.Closed()
		for len(instances) > 0 && len(requests) < passBatch && len(searches) < most {
			c := instances[0]
			if unsettled(c, asked) || unsettled(c, before) {
				break // those first, so that it is known where they are
			}
			instances = instances[1:]
			if c.State != stream.Pending {
				continue // placed or gone since the queue was read
			}
			if !p.hold.IsZero() {
				p.left = append(p.left, c)
				continue
			}
			open := placement.Candidates(waitingSlot(c), p.rules)
			if len(open) == 0 {
				p.idle[idleInstance{c.Key, c.Instance}] = true
			}
			if p.awaits(c) {
				p.known.Reserve(waitingSlot(c), open)
				p.hungry.Wait(open)
				p.left, p.waited = append(p.left, c), true
				continue
			}
			placement.ByLoad(open, heads)
			a, err := p.search(ctx, c, open)
			if err != nil {
				return err
			}
			if len(a.requests) == 0 {
				p.hungry.Wait(open)
				p.left = append(p.left, c)
				continue
			}
			asked[stream.Member(c.Key, stream.SlotOf(c.Instance))] = true
			searches, requests = append(searches, a), append(requests, a.asks(closed)...)
		}
		if len(requests) == 0 {
			continue
		}
		maps.Copy(before, asked)
		answers, err := p.s.store.Place(ctx, requests)
		if err != nil {
			return err
		}
		placed := p.placed
		p.learn(searches, answers)
		if p.placed > placed {
			p.s.sends.ring()
		}
	}
	return nil
}

// search is how a place is looked for: for what has sidecars first where these could run, too.
func (p *pass) search(ctx context.Context, c store.Circumstances, open []placement.Candidate) (search, error) {
	a := search{instance: c}
	if len(c.Behind) > 0 && len(open) > 0 {
		hosts, err := p.s.view.get(ctx)
		if err != nil {
			return a, err
		}
		var takers []map[string]bool
		for _, t := range c.Behind {
			if p.others[t] == nil {
				rules, err := p.s.rules.rules(ctx, t)
				if err != nil {
					return a, err
				}
				p.others[t] = rules
			}
			takers = append(takers, placement.Takers(c.Key, p.others[t], p.offered(t, hosts)))
		}
		takes := func(host string) bool {
			return !slices.ContainsFunc(takers, func(t map[string]bool) bool { return !t[host] })
		}
		along := placement.Accompanied(open, p.offered(p.stype, hosts), takes)
		a.requests = placement.Plan(waitingSlot(c), along, &p.known, store.MaxClasses)
		a.along = len(a.requests)
	}
	a.requests = append(a.requests, placement.Plan(waitingSlot(c), open, &p.known, store.MaxClasses)...)
	return a, nil
}

// offered are the services of a type on hosts, found once for a look at these.
func (p *pass) offered(t string, hosts []store.HostRecord) []placement.Service {
	if len(hosts) != len(p.looked) || len(hosts) > 0 && &hosts[0] != &p.looked[0] {
		p.looked, p.offers = hosts, map[string][]placement.Service{}
	}
	if _, found := p.offers[t]; !found {
		p.offers[t] = servicesOf(t, hosts)
	}
	return p.offers[t]
}

// heads reads the load of the heads of classes, where there are more of them than
// one call of the store takes, and how many slots may be asked for before that is
// to be read anew: one for each class of a call.
func (p *pass) heads(ctx context.Context) (heads map[string]float64, most int, err error) {
	var open []string
	for _, r := range p.rules {
		if r.Rule != nil && !p.known.Full(r.ID) {
			open = append(open, r.ID)
		}
	}
	if len(open) <= store.MaxClasses || !p.hold.IsZero() {
		return nil, passBatch, nil
	}
	heads, err = p.s.store.Heads(ctx, p.stype, open)
	return heads, store.MaxClasses, err
}

func (p *pass) learn(searches []search, answers []store.Placement) {
	for _, a := range searches {
		n := len(a.requests)
		result := a.outcome(answers[:n], &p.known)
		answers = answers[n:]
		switch result.Outcome {
		case store.Placed:
			p.placed++
			if len(a.instance.Behind) > 0 {
				p.s.touched.add(a.instance.Behind...)
				p.s.places.ring()
			}
			p.s.logPlaced(result)
		case store.OnHold:
			p.hold = result.Reason
			p.left = append(p.left, a.instance)
		case store.Full:
			for _, asked := range a.requests {
				p.hungry.Wait(asked)
			}
			p.left = append(p.left, a.instance)
		case store.Broken:
			p.s.brokenStream(result.Key, result.Err)
		case store.Taken:
		}
	}
}

func (s *Scheduler) logPlaced(v store.Placement) {
	s.log.Debug().Str("stream", v.Key).Str("slot", stream.SlotOf(v.Instance)).Str("instance", v.Instance).Str("host", v.Host).Str("token", v.Token).Msg("placed")
}
