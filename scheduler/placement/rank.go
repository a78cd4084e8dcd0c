package placement

import (
	"cmp"
	"math"
	"slices"
)

// ByLoad puts the classes of each tier in the order of the load of their emptiest
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
		return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(load(a), load(b)))
	})
}
