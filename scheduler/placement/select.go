package placement

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// selects tells whether the slot's item lets it go to hosts of the class. A word of it
// that misses a value selects none.
func (s Instance) selects(c Class) bool {
	return s.Host.Unresolved() == "" && s.Host.MatchesLabels(c.Rule.Labels())
}

// elsewhere tells that its pin and its item name two hosts.
func (s Instance) elsewhere() bool {
	return s.Pin != "" && s.Host.Name != "" && s.Pin != s.Host.Name
}

// selected are the services on hosts that the slot's item means; why there is none.
func (v View) selected(s Instance, from []Service) (left []Service, why stream.Reason) {
	if text := s.Host.Unresolved(); text != "" {
		return nil, stream.Because(stream.CodeHostOpen, "host", text)
	}
	if s.Host.IsZero() {
		return from, stream.Reason{}
	}
	others := map[string]bool{}
	for _, o := range from {
		labels := v.classes[o.Class].Rule.Labels()
		if s.Host.Matches(o.Host, labels) {
			left = append(left, o)
			continue
		}
		said := labels.String()
		if s.Host.Name != "" || said == "" {
			said = o.Host
		} else {
			said = o.Host + " " + said
		}
		others[said] = true
	}
	return left, stream.Because(stream.CodeNoHost, "type", v.stype, "host", s.Host.String(), "hosts", list(slices.Sorted(maps.Keys(others)), ", "))
}
