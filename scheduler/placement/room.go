package placement

import (
	"fmt"
	"slices"
	"strconv"

	"stream-api/stream"
)

// crowded is why none of the services that could take the slot does; none: one has
// room.
func (v View) crowded(s Instance, from []Service) stream.Reason {
	var full, away, cooling, broken, apart []string
	var dry []shortage
	taken := v.taken(s)
	for _, o := range from {
		switch {
		case !o.Reason.IsZero():
			broken = append(broken, v.nonsense(o))
		case o.State != stream.Up:
			away = append(away, o.Host+" "+o.absence())
		case s.avoids(o.Host) && s.successor(): // it waits for another host than its own
		case s.avoids(o.Host):
			cooling = append(cooling, o.Host)
		case o.Host != s.Anyway && (s.Beside[o.Host] != "" || taken[v.label(o, s.Apart)] != ""):
			held := o.Host + " holds " + s.Beside[o.Host]
			if value := v.label(o, s.Apart); taken[value] != "" {
				held = s.Apart + " " + value + " holds " + taken[value]
			}
			if !slices.Contains(apart, held) {
				apart = append(apart, held)
			}
		case o.full() && s.With == "": // a sidecar needs no capacity
			full = append(full, fmt.Sprintf("%d/%d", o.Used, o.Limit))
		default:
			p, short := o.short()
			if !short {
				return stream.Reason{}
			}
			dry = append(dry, shortage{o.Host, p})
		}
	}
	why := stream.Because(stream.CodeNoOther, "type", v.stype)
	switch {
	case len(full) == 0 && len(dry) > 0:
		why = emptiest(dry)
		if len(dry) == 1 {
			why = why.With("services", "1")
		}
	case len(full) > 0:
		for _, d := range dry {
			full = append(full, d.String())
		}
		why = stream.Because(stream.CodeFull, "type", v.stype, "full", list(full, ", "))
		if len(full) == len(from) {
			why = why.With("services", strconv.Itoa(len(full)))
		}
	case len(cooling) > 0:
		why = stream.Because(stream.CodeCooldown)
	case len(away) > 0:
		why = stream.Because(stream.CodeNotUp, "type", v.stype)
	case len(apart) > 0:
		return stream.Because(stream.CodeApart, "apart", list(apart, ", "), "type", v.stype)
	case len(broken) > 0:
		why = stream.Because(stream.CodeNonsense)
	}
	why = why.With("cooling", list(cooling, ", "), "away", list(away, ", "), "broken", list(broken, "; "), "apart", list(apart, ", "))
	if len(cooling) > 0 {
		why = why.After(failure(s))
	}
	return why
}

// label is what a label of a service's host says; empty for apart by host.
func (v View) label(o Service, name string) string {
	if c := v.classes[o.Class]; c.Rule != nil && name != stream.ApartHost {
		return c.Rule.Labels()[name]
	}
	return ""
}

// taken are the values of the label by which copies of the slot are apart where there
// is one already, with which. What it is to follow makes room for it.
func (v View) taken(s Instance) map[string]string {
	out := map[string]string{}
	for _, o := range v.services {
		name, value := s.Beside[o.Host], v.label(o, s.Apart)
		if name != "" && name != s.Follows && value != "" && (out[value] == "" || name < out[value]) {
			out[value] = name
		}
	}
	return out
}

// shortage is a pool that has too little for one slot more.
type shortage struct {
	host string
	Pool
}

func (s shortage) String() string {
	return fmt.Sprintf("needs %s of %s and %s has %s of %s", s.Needs, s.Name, s.host, s.left(), s.Size)
}

// emptiest tells of the pool that most hosts have too little of, and of these hosts
// the one that has the most.
func emptiest(dry []shortage) stream.Reason {
	hosts := map[string]int{}
	for _, d := range dry {
		hosts[d.Name]++
	}
	best := dry[0]
	for _, d := range dry[1:] {
		if n, most := hosts[d.Name], hosts[best.Name]; n > most || d.Name == best.Name && d.left() > best.left() {
			best = d
		}
	}
	return stream.Because(stream.CodePoolFull, "needs", best.Needs.String(), "pool", best.Name,
		"host", best.host, "left", best.left().String(), "size", best.Size.String())
}

// absence says in a word why a service takes nothing.
func (v Service) absence() string {
	if v.Paused && v.HostState == stream.Up {
		return "paused"
	}
	if v.Unwell && v.HostState == stream.Up {
		return "fails its check"
	}
	return string(v.State)
}
