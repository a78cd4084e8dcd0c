package placement

import (
	"fmt"
	"strconv"

	"stream-api/stream"
)

// crowded is why none of the services that could take the slot does; none: one has
// room.
func (v View) crowded(s Instance, from []Service) stream.Reason {
	var full, away, cooling, broken []string
	for _, o := range from {
		switch {
		case !o.Reason.IsZero():
			broken = append(broken, v.nonsense(o))
		case o.State != stream.Up:
			away = append(away, o.Host+" "+o.absence())
		case s.avoids(o.Host) && s.successor(): // it waits for another host than its own
		case s.avoids(o.Host):
			cooling = append(cooling, o.Host)
		case o.hasRoom():
			return stream.Reason{}
		default:
			full = append(full, fmt.Sprintf("%d/%d", o.Used, o.Limit))
		}
	}
	why := stream.Because(stream.CodeNoOther, "type", v.stype)
	switch {
	case len(full) > 0:
		why = stream.Because(stream.CodeFull, "type", v.stype, "full", list(full, ", "))
		if len(full) == len(from) {
			why = why.With("services", strconv.Itoa(len(full)))
		}
	case len(cooling) > 0:
		why = stream.Because(stream.CodeCooldown)
	case len(away) > 0:
		why = stream.Because(stream.CodeNotUp, "type", v.stype)
	case len(broken) > 0:
		why = stream.Because(stream.CodeNonsense)
	}
	why = why.With("cooling", list(cooling, ", "), "away", list(away, ", "), "broken", list(broken, "; "))
	if len(cooling) > 0 {
		why = why.After(failure(s))
	}
	return why
}

// absence says in a word why a service takes nothing.
func (v Service) absence() string {
	if v.Paused && v.HostState == stream.Up {
		return "paused"
	}
	return string(v.State)
}
