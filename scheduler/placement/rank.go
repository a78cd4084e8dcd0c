package placement

import (
	"cmp"
	"math"
	"slices"

	"stream-api/stream"
)

// Candidates are who may take a slot now: the classes whose filter admits its stream,
// whose hosts its item means, and all that they and it need is published; of the hosts
// that it wishes to be beside each by itself. They come in the order of its wishes:
// those that ask for the stream first, those that prefer others last; of these the
// nearer first (near.go), then those with fewer of its siblings (spread.go).
func Candidates(s Instance, classes []Class) []Candidate {
	if s.elsewhere() {
		return nil
	}
	type wish struct {
		Candidate
		order []int // by tier, nearness to each target, spread
	}
	var wishes []wish
	for _, c := range classes {
		tier, ok := admits(c, s.Key)
		if !ok || !s.selects(c) || len(unmet(c, s.Needs, s.Published)) > 0 {
			continue
		}
		labels := c.Rule.Labels()
		for _, host := range append(s.beside(labels), "") {
			wishes = append(wishes, wish{Candidate{Class: c.ID, Host: host}, s.order(tier, host, c)})
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return slices.Compare(a.order, b.order) })
	out := make([]Candidate, len(wishes))
	for i, w := range wishes {
		out[i] = w.Candidate
		if i > 0 {
			out[i].Rank = out[i-1].Rank
			if !slices.Equal(w.order, wishes[i-1].order) {
				out[i].Rank++
			}
		}
	}
	return out
}

// order is how much a slot would like a host of a class, or any of its hosts: the lower, the more.
func (s Instance) order(tier stream.Tier, host string, c Class) []int {
	if c.Rule == nil {
		return nil
	}
	labels := c.Rule.Labels()
	return append(append([]int{int(tier)}, s.nearness(host, labels)...), s.siblingsAt(labels))
}

// ByLoad puts the classes of each rank in the order of the load of their emptiest
// hosts, their heads: one call of the store takes only so many, and those it is
// asked first are the ones that get the slot. It changes candidates.
func ByLoad(candidates []Candidate, heads map[string]float64) {
	load := func(c Candidate) float64 {
		if head, ok := heads[c.Class]; ok {
			return head
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(load(a), load(b)))
	})
}
