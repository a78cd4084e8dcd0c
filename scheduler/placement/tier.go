package placement

import (
	"cmp"
	"slices"
)

// Candidates are the classes that may take a slot now: their filter admits its stream,
// its item means their hosts, and all that they and it need is published. Those that
// ask for the stream come first, those that prefer others last.
func Candidates(s Instance, classes []Class) []Candidate {
	if s.elsewhere() {
		return nil
	}
	var out []Candidate
	for _, c := range classes {
		if tier, ok := admits(c, s.Key); ok && s.selects(c) && len(unmet(c, s.Needs, s.Published)) == 0 {
			out = append(out, Candidate{Tier: tier, Class: c.ID})
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(a.Tier, b.Tier) })
	return out
}
