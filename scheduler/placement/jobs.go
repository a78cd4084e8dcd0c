package placement

import (
	"slices"

	"stream-api/stream"
)

// Hunger is what slots of a type wait for in vain: room in classes, or on hosts of them.
// The zero value waits for nothing.
type Hunger struct {
	all bool
	at  map[Candidate]bool // of rank 0
}

// Wait notes that a slot waits for room at one of these.
func (h *Hunger) Wait(candidates []Candidate) {
	for _, c := range candidates {
		if h.at == nil {
			h.at = map[Candidate]bool{}
		}
		h.at[Candidate{Class: c.Class, Host: c.Host}] = true
	}
}

// WaitAll notes that slots wait of which it is not known for what.
func (h *Hunger) WaitAll() { h.all = true }

func (h *Hunger) covers(v Service) bool {
	return h.all || h.at[Candidate{Class: v.Class}] || h.at[Candidate{Class: v.Class, Host: v.Host}]
}

// Reserved are the hosts where a job of a type gets nothing, as a slot waits for room in that
// very service, or in a pool that both use. services are those of all types that have jobs or
// hungry slots.
func Reserved(stype string, services map[string][]Service, hungry map[string]*Hunger) map[string]bool {
	out := map[string]bool{}
	for _, v := range services[stype] {
		for other, h := range hungry {
			at := slices.IndexFunc(services[other], func(o Service) bool { return o.Host == v.Host })
			if at < 0 || services[other][at].State != stream.Up || !h.covers(services[other][at]) {
				continue
			}
			if other == stype || v.starves(services[other][at]) {
				out[v.Host] = true
			}
		}
	}
	return out
}

// starves tells whether it uses what keeps slots of another service of its host waiting.
func (v Service) starves(other Service) bool {
	_, short := other.short()
	for _, p := range other.Pools {
		shared := slices.ContainsFunc(v.Pools, func(own Pool) bool { return own.Name == p.Name && own.Needs > 0 })
		if shared && p.Needs > 0 && (p.Needs > p.left() || !short && !other.full()) {
			return true // also where the look at it is older than the refusal
		}
	}
	return false
}

// HomeOf is how a job is asked for on the host that it is bound to, which may be cordoned or
// drained; none: that offers nothing to it.
func HomeOf(s Instance, classes []Class, services []Service) []Candidate {
	for _, v := range services {
		for _, c := range classes {
			if v.Host != s.Only || c.ID != v.Class {
				continue
			}
			if _, ok := admits(c, s.Key); ok {
				return []Candidate{{Class: c.ID, Host: v.Host}}
			}
		}
	}
	return nil
}

// ExplainJob says why a job waits that was refused; reserved are the hosts of Reserved.
func (v View) ExplainJob(s Instance, reserved map[string]bool) stream.Reason {
	left, why := v.filtered(s)
	if len(left) == 0 {
		return why
	}
	if left, why = v.selected(s, left); len(left) == 0 {
		return why
	}
	if s.Only != "" {
		left = slices.DeleteFunc(slices.Clone(left), func(o Service) bool { return o.Host != s.Only })
		if len(left) == 0 {
			return stream.Because(stream.CodeEachHost, "host", s.Only)
		}
		if o := left[0]; o.HostState == stream.Down || o.Withdrawn || o.Paused || o.Unwell {
			return stream.Because(stream.CodeEachAway, "host", s.Only, "away", o.absence())
		}
		left[0].State = stream.Up // for what waits for its files
	}
	open := slices.DeleteFunc(slices.Clone(left), func(o Service) bool { return reserved[o.Host] })
	if len(open) == 0 {
		return stream.Because(stream.CodeJobBehind, "type", v.stype)
	}
	if why := v.crowded(s, open); !why.IsZero() {
		return why
	}
	if slices.ContainsFunc(open, func(o Service) bool { return len(o.Pools) > 0 }) {
		return stream.Because(stream.CodeJobShare, "type", v.stype)
	}
	return stream.Because(stream.CodeJobBehind, "type", v.stype)
}
