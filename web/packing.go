package web

import (
	"cmp"
	"maps"
	"slices"

	"stream-api/stream"
)

// poolTypes are the types of which some service uses a pool: their slots compete with
// those of other types.
func poolTypes(hosts []stream.HostStatus) map[string]bool {
	out := map[string]bool{}
	for _, h := range hosts {
		for _, v := range h.Services {
			if len(v.Uses) > 0 {
				out[v.Type] = true
			}
		}
	}
	return out
}

// unpacked places the instances of a lost host, by type, on the others, with their pools and labels, and
// gives those that find no place, by type. To find the best way is as hard as packing bins;
// two ways are tried, and the better one counts. So where it says that all find a place,
// they do; where it says that some do not, there may be a way that was not tried. What is
// all that runs of its slot comes first.
func unpacked(ones map[string][]homeless, hosts []stream.HostStatus, lost string, matches matcher) map[string][]homeless {
	if len(ones) == 0 {
		return nil
	}
	var best map[string][]homeless
	fewest := -1
	for _, emptiest := range []bool{false, true} {
		p := packing{slots: map[*stream.ServiceStatus]int{}, pools: map[*stream.PoolStatus]stream.Amount{}, matches: matches, emptiest: emptiest}
		for i := range hosts {
			if h := &hosts[i]; h.Host != lost && h.State == stream.Up {
				p.hosts = append(p.hosts, h)
			}
		}
		left, n := map[string][]homeless{}, 0
		for _, spare := range []bool{false, true} {
			for _, kind := range p.order(ones) {
				for _, one := range ones[kind] {
					if one.spare != spare || p.place(kind, one) {
						continue
					}
					left[kind] = append(left[kind], one)
					if n++; !spare {
						n += 1 << 20 // what is down counts before what is degraded
					}
				}
			}
		}
		if fewest < 0 || n < fewest {
			best, fewest = left, n
		}
		if fewest == 0 {
			break
		}
	}
	return best
}

// packing is a way to place slots: the first host that has room, or the emptiest.
type packing struct {
	hosts    []*stream.HostStatus
	slots    map[*stream.ServiceStatus]int        // taken by it
	pools    map[*stream.PoolStatus]stream.Amount // the same
	matches  matcher
	emptiest bool
}

// order puts the types that take the greatest part of a pool first.
func (p *packing) order(ones map[string][]homeless) []string {
	part := map[string]float64{}
	for _, h := range p.hosts {
		for _, v := range h.Services {
			for i := range h.Pools {
				if size := h.Pools[i].Size; size > 0 {
					part[v.Type] = max(part[v.Type], float64(v.Uses[h.Pools[i].Pool])/float64(size))
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(ones), func(a, b string) int { return cmp.Or(cmp.Compare(part[b], part[a]), cmp.Compare(a, b)) })
}

func (p *packing) place(kind string, one homeless) bool {
	var host *stream.HostStatus
	var service *stream.ServiceStatus
	least := 0.0
	for _, h := range p.hosts {
		if one.bound || one.beside[h.Host] || !one.host.Matches(h.Host, h.Labels) {
			continue
		}
		for i := range h.Services {
			v := &h.Services[i]
			if v.Type != kind || !v.Takes(h.State) || !p.matches.match(v.Filter, one.key) {
				continue
			}
			if full, ok := p.fullness(h, v); ok && (host == nil || full < least) {
				host, service, least = h, v, full
			}
		}
		if host != nil && !p.emptiest {
			break
		}
	}
	if host == nil {
		return false
	}
	p.slots[service]++
	for i := range host.Pools {
		p.pools[&host.Pools[i]] += service.Uses[host.Pools[i].Pool]
	}
	return true
}

// fullness is how full the service or the fullest of its pools would be with one slot
// more; false if it has no room.
func (p *packing) fullness(h *stream.HostStatus, v *stream.ServiceStatus) (most float64, ok bool) {
	if v.Capacity != nil {
		taken := v.Used + p.slots[v] + 1
		if taken > *v.Capacity {
			return 0, false
		}
		most = float64(taken) / float64(*v.Capacity)
	}
	for i := range h.Pools {
		pool := &h.Pools[i]
		if v.Uses[pool.Pool] == 0 {
			continue
		}
		taken := pool.Used + p.pools[pool] + v.Uses[pool.Pool]
		if taken > pool.Size {
			return 0, false
		}
		most = max(most, float64(taken)/float64(pool.Size))
	}
	return most, true
}
