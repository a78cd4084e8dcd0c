package placement

import (
	"cmp"
	"slices"
	"strconv"

	"stream-api/stream"
)

// Standing is an instance that runs on a host.
type Standing struct {
	Instance
	On string
}

// Improvement is a move that would help: to what host, and why.
type Improvement struct {
	Instance
	From, To string
	Why      stream.Reason
}

// Improve lists moves of instances of one type to hosts with room that their items or those
// hosts' preference would rather have them on, and then, of what is as good, to hosts that would be emptier with
// them than theirs is: each reckoned with those before it done, and no two of one stream. They are printed
// and begun by hand only, so that no look at all this costs anybody a gap.
func Improve(standing []Standing, classes []Class, services []Service) []Improvement {
	b := balance{services: slices.Clone(services), classes: classes, moved: map[string]bool{}}
	var out []Improvement
	for _, load := range []bool{false, true} {
		for _, s := range standing {
			if b.moved[s.Key] {
				continue
			}
			if best, why := b.better(s, load); best >= 0 {
				b.move(s.On, best)
				b.moved[s.Key] = true
				out = append(out, Improvement{s.Instance, s.On, b.services[best].Host, why})
			}
		}
	}
	return out
}

// balance is the services as the moves that are planned leave them.
type balance struct {
	services []Service
	classes  []Class
	moved    map[string]bool // streams
}

// better finds the best service for an instance, if that is better than its own: -1, if none is.
func (b *balance) better(s Standing, load bool) (best int, why stream.Reason) {
	own := slices.IndexFunc(b.services, func(o Service) bool { return o.Host == s.On })
	if own < 0 {
		return -1, why
	}
	order, admitted := b.order(s.Instance, b.services[own])
	if !admitted {
		return -1, why // it is fragile, and no move by itself helps that
	}
	best, bestOrder, bestLoad := -1, order, b.services[own].freed().strain()
	for i, o := range b.services {
		if i == own {
			continue
		}
		at, ok := b.order(s.Instance, o)
		than := slices.Compare(at, bestOrder)
		if !ok || than > 0 || than == 0 && (!load && slices.Equal(at, order) || o.strain() >= bestLoad) || !b.takes(s.Instance, o) {
			continue
		}
		best, bestOrder, bestLoad = i, at, o.strain()
	}
	if best < 0 {
		return -1, why
	}
	return best, s.gain(order, bestOrder, b.services[own], b.services[best])
}

func (b *balance) class(o Service) (Class, bool) {
	i := slices.IndexFunc(b.classes, func(c Class) bool { return c.ID == o.Class })
	if i < 0 {
		return Class{}, false
	}
	return b.classes[i], b.classes[i].Rule != nil
}

// order is how an instance would like it there, as Candidates has it; false: it may not be there.
func (b *balance) order(s Instance, o Service) ([]int, bool) {
	c, ok := b.class(o)
	if !ok {
		return nil, false
	}
	tier, ok := admits(c, s.Key)
	return s.order(tier, o.Host, c), ok && s.selects(c)
}

// takes asks one service, by the policies that Explain asks all of.
func (b *balance) takes(s Instance, o Service) bool {
	c, _ := b.class(o)
	return NewView(s.Type, []Class{c}, []Service{o}).Explain(s, Chain{}).IsZero()
}

func (b *balance) move(from string, to int) {
	own := slices.IndexFunc(b.services, func(o Service) bool { return o.Host == from })
	b.services[own], b.services[to] = b.services[own].freed(), b.services[to].taken()
}

// taken is the service as it is with one slot more.
func (v Service) taken() Service {
	v.Used++
	v.Pools = slices.Clone(v.Pools)
	for i := range v.Pools {
		v.Pools[i].Taken += v.Pools[i].Needs
	}
	return v
}

// strain is that of the service with one slot more, as its load set has it: of the fullest of its
// capacity and its pools, 1 is full; without either as good as none.
func (v Service) strain() float64 {
	most := float64(v.Used) / 1e9
	if v.Limit > 0 {
		most = float64(v.Used+1) / float64(v.Limit)
	}
	for _, p := range v.Pools {
		if p.Size > 0 {
			most = max(most, float64(p.Taken+p.Needs)/float64(p.Size))
		}
	}
	return most
}

// gain says what is better there: the first thing that is.
func (s Instance) gain(was, would []int, here, there Service) stream.Reason {
	at := 0
	for at < len(was) && was[at] == would[at] {
		at++
	}
	switch {
	case at == len(was):
		return stream.Because(stream.CodeEmptier, "here", here.filled(), "there", there.filled())
	case at == 0:
		return stream.Because(stream.CodePreferred, "host", there.Host)
	case at <= len(s.Near):
		t := s.Near[at-1]
		return stream.Because(stream.CodeNearer, "target", t.Name, "was", stream.Distance(was[at]).String(), "would", stream.Distance(would[at]).String()).With("on", t.Host)
	}
	return stream.Because(stream.CodeSpreads, "label", s.Spread, "was", strconv.Itoa(was[at]), "would", strconv.Itoa(would[at]))
}

// filled is what a service has, and the fullest of its pools.
func (v Service) filled() string {
	text := strconv.Itoa(v.Used)
	if v.Limit >= 0 {
		text += "/" + strconv.Itoa(v.Limit)
	}
	if len(v.Pools) > 0 {
		p := slices.MaxFunc(v.Pools, func(a, b Pool) int {
			return cmp.Compare(float64(a.Taken)/float64(max(a.Size, 1)), float64(b.Taken)/float64(max(b.Size, 1)))
		})
		text += ", " + p.Name + " " + p.Taken.String() + "/" + p.Size.String()
	}
	return text
}
