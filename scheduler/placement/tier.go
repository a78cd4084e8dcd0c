package placement

import (
	"cmp"
	"slices"

	"stream-api/stream"
)

// Candidates are the classes that may take a slot of the stream now: their filter
// admits it and all they need is published. Those that ask for the stream come
// first, those that prefer others last.
func Candidates(key string, published map[stream.Need]bool, classes []Class) []Candidate {
	var out []Candidate
	for _, c := range classes {
		if tier, ok := admits(c, key); ok && len(unmet(c, published)) == 0 {
			out = append(out, Candidate{Tier: tier, Class: c.ID})
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(a.Tier, b.Tier) })
	return out
}
