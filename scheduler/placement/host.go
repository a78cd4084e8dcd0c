package placement

import (
	"cmp"
	"slices"

	"stream-api/stream"
)

// onlyHost is the one host that may take the slot, empty for any; otherwise: any
// other will do if that has no room.
func onlyHost(s Instance) (host string, otherwise bool) {
	if only := cmp.Or(s.Only, s.Pin, s.Host.Name); only != "" {
		return only, false
	}
	if s.Move == "" || s.Move == "*" {
		return "", false
	}
	// An operator asked for a host. A successor beside the running slot can
	// wait for it; a slot that has stopped goes there if it can.
	return s.Move, !s.successor()
}

// own are the services on the host whose the slot is; why there is none, and why that
// takes nothing, which is said of the host and not of each slot that waits for it.
func (v View) own(s Instance, from []Service) (left []Service, why stream.Reason) {
	if s.Only == "" {
		return from, stream.Reason{}
	}
	left = slices.DeleteFunc(slices.Clone(from), func(o Service) bool { return o.Host != s.Only })
	if len(left) == 0 {
		return nil, stream.Because(stream.CodeEachHost, "host", s.Only)
	}
	if o := left[0]; o.State != stream.Up && o.Reason.IsZero() {
		return nil, stream.Because(stream.CodeEachAway, "host", s.Only, "away", o.absence())
	}
	return left, stream.Reason{}
}

// pinned are the services on the host that the slot is pinned to; why there is none.
func (v View) pinned(s Instance, from []Service) (left []Service, why stream.Reason) {
	if s.Pin == "" {
		return from, stream.Reason{}
	}
	left = slices.DeleteFunc(slices.Clone(from), func(o Service) bool { return o.Host != s.Pin })
	return left, stream.Because(stream.CodePinnedOff, "type", v.stype)
}

// underPin is a reason of a slot that is pinned, which is then part of it.
func underPin(s Instance, why stream.Reason) stream.Reason {
	if s.Pin == "" || why.IsZero() {
		return why
	}
	return stream.Because(stream.CodePinned, "host", s.Pin).After(why)
}
