package placement

import (
	"cmp"
	"slices"

	"stream-api/stream"
)

// withTarget says why a sidecar does not start where its target is, the only host that
// may have it; it needs no capacity there.
func (v View) withTarget(s Instance, chain Chain) stream.Reason {
	if s.Target == "" {
		return stream.Because(stream.CodeWith, "slot", s.With)
	}
	there := v
	there.services = slices.DeleteFunc(slices.Clone(v.services), func(o Service) bool { return o.Host != s.Target })
	why := stream.Because(stream.CodePinnedOff, "type", v.stype)
	if left, not := there.filtered(s); len(left) > 0 {
		if left, why = there.fed(s, left, chain); len(left) > 0 {
			why = there.crowded(s, left)
		}
	} else if not.Code == stream.CodeNonsense {
		why = not
	}
	if why.IsZero() {
		return why
	}
	return stream.Because(stream.CodeWith, "slot", s.With, "host", s.Target).After(why)
}

// Takers are the hosts whose services of a type take streams of a key, however full.
func Takers(key string, classes []Class, services []Service) map[string]bool {
	admitted := map[string]bool{}
	for _, c := range classes {
		_, admitted[c.ID] = admits(c, key)
	}
	out := map[string]bool{}
	for _, v := range services {
		if v.State == stream.Up && v.Reason.IsZero() && admitted[v.Class] {
			out[v.Host] = true
		}
	}
	return out
}

// mostAccompanied bounds the hosts of a class that are asked one by one.
const mostAccompanied = 64

// Accompanied are of the candidates for a target those on hosts that take all its sidecars:
// a class where all hosts do, else the emptiest of those that do, each by itself.
func Accompanied(candidates []Candidate, services []Service, takes func(host string) bool) []Candidate {
	var out []Candidate
	for _, c := range candidates {
		if c.Host != "" {
			if takes(c.Host) {
				out = append(out, c)
			}
			continue
		}
		var those []Service
		n := 0
		for _, v := range services {
			if v.Class == c.Class {
				if n++; takes(v.Host) {
					those = append(those, v)
				}
			}
		}
		if len(those) == n {
			out = append(out, c)
			continue
		}
		slices.SortStableFunc(those, func(a, b Service) int { return cmp.Compare(a.load(), b.load()) })
		for _, v := range those[:min(len(those), mostAccompanied)] {
			out = append(out, Candidate{Rank: c.Rank, Class: c.Class, Host: v.Host})
		}
	}
	return out
}

// load is how full it is; without a limit it counts as empty.
func (v Service) load() float64 {
	if v.Limit <= 0 {
		return 0
	}
	return float64(v.Used) / float64(v.Limit)
}
