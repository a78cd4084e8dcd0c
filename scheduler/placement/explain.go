package placement

import (
	"fmt"
	"strings"

	"stream-api/stream"
)

// View is all services of one type, as a look at the hosts found them. Reasons are
// made from it; nothing is decided by it.
type View struct {
	stype    string
	classes  map[string]Class
	services []Service
}

// NewView is the view of a type with its classes and its services, in the order of
// their hosts.
func NewView(stype string, classes []Class, services []Service) View {
	v := View{stype: stype, classes: make(map[string]Class, len(classes)), services: services}
	for _, c := range classes {
		v.classes[c.ID] = c
	}
	return v
}

// Explain says why the slot waits, what is missing and where. None: nothing is in
// its way, the next pass places it. The chain may be zero unless the slot waits
// for variables.
func (v View) Explain(s Instance, chain Chain) stream.Reason {
	if s.With != "" {
		return v.withTarget(s, chain)
	}
	left, why := v.filtered(s)
	if len(left) == 0 {
		return why
	}
	if left, why = v.selected(s, left); len(left) == 0 {
		return why
	}
	if left, why = v.own(s, left); len(left) == 0 {
		return why
	}
	if left, why = v.pinned(s, left); len(left) == 0 {
		return underPin(s, why)
	}
	if left, why = v.fed(s, left, chain); len(left) == 0 {
		return underPin(s, why)
	}
	return underPin(s, v.crowded(s, left))
}

// maxListed bounds what a reason lists.
const maxListed = 6

func list(items []string, separator string) string {
	if len(items) <= maxListed {
		return strings.Join(items, separator)
	}
	return fmt.Sprintf("%s%s… and %d more", strings.Join(items[:maxListed], separator), separator, len(items)-maxListed)
}
