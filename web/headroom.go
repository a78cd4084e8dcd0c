package web

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"stream-api/stream"
)

// Headroom answers whether the work would survive the loss of any one host.
type Headroom struct {
	Survives bool   `json:"survives"`
	Text     string `json:"text"`
	// Losses are the hosts whose loss would leave slots without a place, the
	// worst first.
	Losses []Loss `json:"losses"`
}

// Loss is what the loss of one host would mean.
type Loss struct {
	Host     string         `json:"host"`
	Slots    int            `json:"slots"`    // it holds
	Unplaced int            `json:"unplaced"` // of them, without a place elsewhere
	ByType   map[string]int `json:"by_type"`  // unplaced, by type
}

// homeless is a slot of a host that is lost: of which stream, and which hosts its item
// means.
type homeless struct {
	key  string
	host stream.Selector
}

// headroom places the slots of each host on what the others have left,
// respecting filters, capacities, states and what items say of hosts. It finds the best distribution,
// not just one: a slot that many services could take makes way for one that
// few can.
func headroom(s stream.Status, matches matcher) Headroom {
	held := map[string]map[string][]homeless{} // host → type → slots
	pooled := poolTypes(s.Hosts)
	for _, v := range s.Streams {
		for _, slot := range v.Slots {
			if slot.Host == "" || slot.State != stream.Running && slot.State != stream.Assigned {
				continue
			}
			if held[slot.Host] == nil {
				held[slot.Host] = map[string][]homeless{}
			}
			one := homeless{v.Key, v.Items[slot.Slot].Host}
			held[slot.Host][slot.Type] = append(held[slot.Host][slot.Type], one)
			if !one.host.IsZero() {
				pooled[slot.Type] = true // which host it is counts
			}
		}
	}
	out := Headroom{Survives: true, Text: "yes", Losses: []Loss{}}
	for _, host := range slices.Sorted(maps.Keys(held)) {
		loss := Loss{Host: host, ByType: map[string]int{}}
		shared := map[string][]homeless{} // of types that use pools elsewhere, or choose hosts
		lost := func(kind string, n int) {
			if n > 0 {
				loss.ByType[kind] = n
				loss.Unplaced += n
			}
		}
		for kind, slots := range held[host] {
			loss.Slots += len(slots)
			if pooled[kind] {
				shared[kind] = slots
			} else {
				keys := make([]string, len(slots))
				for i, one := range slots {
					keys[i] = one.key
				}
				lost(kind, len(keys)-placeable(keys, roomWithout(s.Hosts, host, kind), matches))
			}
		}
		for kind, n := range unpacked(shared, s.Hosts, host, matches) {
			lost(kind, n)
		}
		if loss.Unplaced > 0 {
			out.Losses = append(out.Losses, loss)
		}
	}
	if len(out.Losses) == 0 {
		if len(held) == 0 {
			out.Text = "nothing runs"
		}
		return out
	}
	slices.SortStableFunc(out.Losses, func(a, b Loss) int { return b.Unplaced - a.Unplaced })
	out.Survives, out.Text = false, lossText(out.Losses)
	return out
}

func lossText(losses []Loss) string {
	worst := losses[0]
	text := fmt.Sprintf("no: %d slots of %s would have no place", worst.Unplaced, worst.Host)
	if worst.Unplaced == 1 {
		text = fmt.Sprintf("no: 1 slot of %s would have no place", worst.Host)
	}
	switch more := len(losses) - 1; {
	case more == 1:
		text += ", nor some of 1 other host"
	case more > 1:
		text += fmt.Sprintf(", nor some of %d other hosts", more)
	}
	return text
}

// roomWithout is what all other hosts have left for a type: filter → slots
// that still fit; unlimited counts as more than anybody needs.
func roomWithout(hosts []stream.HostStatus, lost, kind string) map[string]int {
	const unlimited = 1 << 30
	room := map[string]int{}
	for _, h := range hosts {
		if h.Host == lost || h.State != stream.Up {
			continue
		}
		for _, v := range h.Services {
			switch {
			case v.Type != kind || !v.Takes(h.State):
			case v.Capacity == nil:
				room[v.Filter] = unlimited
			case room[v.Filter] < unlimited:
				room[v.Filter] += max(0, *v.Capacity-v.Used)
			}
		}
	}
	return room
}

// placeable is how many of the keys find room: the greatest flow from
// groups of keys that match the same filters to what the filters have left.
func placeable(keys []string, room map[string]int, matches matcher) int {
	filters := slices.Sorted(maps.Keys(room))
	groups := map[string]int{} // "0110": which filters match → how many keys
	for _, key := range keys {
		sign := make([]byte, len(filters))
		for i, f := range filters {
			sign[i] = '0'
			if matches.match(f, key) {
				sign[i] = '1'
			}
		}
		groups[string(sign)]++
	}
	f := flow{room: make([]int, len(filters)), sent: map[string][]int{}}
	for i, name := range filters {
		f.room[i] = room[name]
	}
	placed := 0
	for _, sign := range slices.Sorted(maps.Keys(groups)) {
		f.sent[sign] = make([]int, len(filters))
		for n := groups[sign]; n > 0; {
			sent := f.push(sign, n, map[string]bool{})
			if sent == 0 {
				break
			}
			n -= sent
			placed += sent
		}
	}
	return placed
}

// flow is a distribution of groups over what filters have left.
type flow struct {
	room []int            // left of each filter
	sent map[string][]int // group → what it has of each filter
}

// push gives room to up to n of the group's keys, moving others away if that
// makes room, and returns how many.
func (f *flow) push(sign string, n int, tried map[string]bool) int {
	tried[sign] = true
	for i := range f.room {
		if sign[i] == '1' && f.room[i] > 0 {
			n = min(n, f.room[i])
			f.room[i] -= n
			f.sent[sign][i] += n
			return n
		}
	}
	for i := range f.room {
		if sign[i] != '1' {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(f.sent)) {
			if tried[other] || f.sent[other][i] == 0 {
				continue
			}
			if moved := f.push(other, min(n, f.sent[other][i]), tried); moved > 0 {
				f.sent[other][i] -= moved
				f.sent[sign][i] += moved
				return moved
			}
		}
	}
	return 0
}

// matcher remembers which filter matches which key. It is used by one
// goroutine at a time.
type matcher map[string]*filterMemory

type filterMemory struct {
	pattern *regexp.Regexp // nil: nonsense, matches nothing
	keys    map[string]bool
}

// filterMemoryLimit bounds the keys remembered of one filter.
const filterMemoryLimit = 50_000

func (m matcher) match(filter, key string) bool {
	if filter == "" {
		return true
	}
	f := m[filter]
	if f == nil || len(f.keys) > filterMemoryLimit {
		pattern, err := regexp.Compile(filter)
		if err != nil {
			pattern = nil // such a service takes nothing
		}
		f = &filterMemory{pattern: pattern, keys: map[string]bool{}}
		m[filter] = f
	}
	yes, known := f.keys[key]
	if !known {
		yes = f.pattern != nil && f.pattern.MatchString(key)
		f.keys[key] = yes
	}
	return yes
}
