package placement

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// Picture is what a status tells of hosts and streams, in the words of placement.
type Picture struct {
	services map[string][]Service // by type, in the order of hosts
	classes  map[string][]Class   // by type
	at       map[offer]int        // in services
}

type offer struct{ stype, host string }

// PictureOf reads a status. What a class prefers is not known of it, which matters to
// nobody who asks whether there is a place at all.
func PictureOf(hosts []stream.HostStatus) Picture {
	p := Picture{services: map[string][]Service{}, classes: map[string][]Class{}, at: map[offer]int{}}
	known := map[string]bool{}
	for _, h := range hosts {
		for _, v := range h.Services {
			class := stream.Class{Filter: v.Filter, Needs: v.Needs, Labels: stream.Labels(h.Labels).Encode()}
			id := class.ID()
			if at := v.Type + " " + id; !known[at] {
				known[at] = true
				rule, err := class.Compile()
				if err != nil {
					rule = nil // such a service takes nothing
				}
				p.classes[v.Type] = append(p.classes[v.Type], Class{ID: id, Rule: rule})
			}
			p.at[offer{v.Type, h.Host}] = len(p.services[v.Type])
			p.services[v.Type] = append(p.services[v.Type], serviceStatus(h, v, id))
		}
	}
	return p
}

func serviceStatus(h stream.HostStatus, v stream.ServiceStatus, class string) Service {
	s := Service{Host: h.Host, Class: class, Used: v.Used, Limit: -1, State: v.State, HostState: h.State, Unwell: v.Code == stream.CodeCheckFails}
	if v.Capacity != nil {
		s.Limit = *v.Capacity
	}
	if v.Code != stream.CodeCheckFails && v.Code != stream.CodeCheckIgnored {
		s.Reason = stream.Reason{Code: v.Code, Facts: v.Facts}
		if v.Code == "" && v.Told.Reason != "" {
			s.Reason = stream.ParseReason(v.Told.Reason)
		}
	}
	for _, pool := range v.Uses.Names() {
		of := Pool{Name: pool, Needs: v.Uses[pool]}
		for _, has := range h.Pools {
			if has.Pool == pool {
				of.Size, of.Taken = has.Size, has.Used
			}
		}
		s.Pools = append(s.Pools, of)
	}
	return s
}

// instanceStatus is an instance of a stream as if it had to start again.
func instanceStatus(v stream.StreamStatus, s stream.InstanceStatus, published map[stream.Need]bool) Instance {
	item := v.Items[s.Slot]
	i := Instance{Key: v.Key, Instance: s.Instance, Type: s.Type, Pin: s.Pin, Host: item.Host, Apart: item.Apart, Needs: item.Needs(), Published: published}
	if item.Apart != "" {
		i.Beside = map[string]string{}
		for _, other := range v.Slots {
			if other.Slot == s.Slot && other.Instance != s.Instance && other.Host != "" {
				i.Beside[other.Host] = other.Name
			}
		}
	}
	return i
}

// published are the variables that the slots of a stream say.
func published(v stream.StreamStatus) map[stream.Need]bool {
	out := map[stream.Need]bool{}
	for _, s := range v.Slots {
		for name := range maps.Keys(s.Vars) {
			out[stream.Need{Slot: s.Slot, Var: name}] = true
		}
	}
	return out
}

// freed is the service as it is once one of its slots has left it.
func (v Service) freed() Service {
	v.Used--
	v.Pools = slices.Clone(v.Pools)
	for i := range v.Pools {
		v.Pools[i].Taken -= v.Pools[i].Needs
	}
	return v
}
