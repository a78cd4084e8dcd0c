package placement

import (
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// Fragile lists the instances that run and would find no place if they had to start
// again: neither on their own host, whose place for them would be free then, nor on
// another that is up and has room. So it is after a filter, a label, a chain or a
// capacity was changed. That its own host is cordoned, drained or unwell makes none
// fragile: that is told of the host.
func Fragile(status stream.Status) []stream.FragileStatus {
	f := fragility{Picture: PictureOf(status.Hosts), said: map[string]stream.Reason{}}
	var out []stream.FragileStatus
	for _, v := range status.Streams {
		says := published(v)
		for _, s := range v.Slots {
			// A sidecar holds no capacity, and goes where its target goes.
			if s.State != stream.Running || v.Items[s.Slot].With != "" {
				continue
			}
			if why := f.explain(instanceStatus(v, s, says), s.Host, v.Chain); !why.IsZero() {
				out = append(out, stream.FragileStatus{Stream: v.Key, Slot: s.Slot, Instance: s.Instance, Name: s.Name, Type: s.Type, Host: s.Host, Told: why.Told()})
			}
		}
	}
	return out
}

// fragility remembers the reasons, as a change of a file makes many alike.
type fragility struct {
	Picture
	said map[string]stream.Reason
}

// explain says why an instance that runs on a host would find no place again; none: it
// would.
func (f fragility) explain(i Instance, host string, chain []string) stream.Reason {
	if own, offered := f.at[offer{i.Type, host}]; offered {
		o := f.services[i.Type][own].freed()
		o.State, o.HostState, o.Unwell = stream.Up, stream.Up, false
		if f.takes(i, o) {
			return stream.Reason{}
		}
	}
	id := f.alike(i)
	if why, known := f.said[id]; known {
		return why
	}
	why := NewView(i.Type, f.classes[i.Type], f.services[i.Type]).Explain(i, Chain{Slots: chain})
	f.said[id] = why
	return why
}

// takes asks one service, by the policies that Explain asks all of.
func (f fragility) takes(i Instance, o Service) bool {
	at := slices.IndexFunc(f.classes[i.Type], func(c Class) bool { return c.ID == o.Class })
	return NewView(i.Type, f.classes[i.Type][at:at+1], []Service{o}).Explain(i, Chain{}).IsZero()
}

// alike names all that the reason is made of, besides the services.
func (f fragility) alike(i Instance) string {
	parts := []string{i.Type, i.Pin, i.Host.String(), i.Host.Name}
	for _, c := range f.classes[i.Type] {
		if _, ok := admits(c, i.Key); ok {
			parts = append(parts, c.ID, stream.FormatNeeds(unmet(c, i.Needs, i.Published)))
		}
	}
	for _, host := range slices.Sorted(maps.Keys(i.Beside)) {
		parts = append(parts, host, i.Beside[host])
	}
	return strings.Join(parts, "\n")
}
