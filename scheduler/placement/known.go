package placement

import (
	"maps"
	"slices"
)

// Known is what a pass knows of room: what one slot was refused, none after it gets.
// The zero value knows nothing.
type Known struct {
	// full are the classes without room for anybody, but perhaps on the hosts that were
	// passed over for the sake of who asked.
	full map[string][]string
	// closed are hosts of other classes without room.
	closed map[string]bool
}

// Full tells that nobody of the class has room.
func (k *Known) Full(class string) bool {
	left, full := k.full[class]
	return full && len(left) == 0
}

// Closed are the hosts that nobody else gets, whatever class is asked.
func (k *Known) Closed() []string { return slices.Sorted(maps.Keys(k.closed)) }

// open are of the candidates those that may have room, for a class that is full each of
// the hosts by itself that were passed over.
func (k *Known) open(candidates []Candidate) []Candidate {
	out := make([]Candidate, 0, len(candidates))
	for _, c := range candidates {
		left, full := k.full[c.Class]
		switch {
		case !full && k.closed[c.Host]:
		case !full:
			out = append(out, c)
		case c.Host == "":
			for _, host := range left {
				out = append(out, Candidate{Rank: c.Rank, Class: c.Class, Host: host})
			}
		case slices.Contains(left, c.Host):
			out = append(out, c)
		}
	}
	return out
}

// Learn notes what it proves that all of these candidates were refused for want of room,
// and that these hosts were passed over.
func (k *Known) Learn(refused, passed []Candidate) {
	for _, c := range refused {
		if c.Host == "" {
			k.fill(c.Class, passed)
		} else if !slices.Contains(passed, Candidate{Class: c.Class, Host: c.Host}) {
			k.Close(c.Class, c.Host)
		}
	}
}

// fill notes that a class is full but for the hosts of it that were passed over.
func (k *Known) fill(class string, passed []Candidate) {
	var left []string
	for _, p := range passed {
		if p.Class == class && p.Host == All {
			return // nobody of it was asked
		}
		if p.Class == class && !k.closed[p.Host] && !slices.Contains(left, p.Host) {
			left = append(left, p.Host)
		}
	}
	if k.full == nil {
		k.full = map[string][]string{}
	}
	k.full[class] = left
}

// Reserve keeps from all who come later what a slot may have that waits.
func (k *Known) Reserve(s Instance, candidates []Candidate) {
	only, otherwise := onlyHost(s)
	for _, c := range candidates {
		if only != "" && !otherwise {
			k.Close(c.Class, only)
		} else {
			k.Close(c.Class, "")
		}
	}
}

// All stands for all hosts of a class where some were passed over.
const All = "*"

// Close keeps a host of a class from all who come later; no host: all of the class.
func (k *Known) Close(class, host string) {
	if host == "" {
		k.fill(class, nil)
		return
	}
	if left, full := k.full[class]; full {
		k.full[class] = slices.DeleteFunc(slices.Clone(left), func(other string) bool { return other == host })
		return
	}
	if k.closed == nil {
		k.closed = map[string]bool{}
	}
	k.closed[host] = true
}
