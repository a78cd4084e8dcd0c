package web

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"stream-api/stream"
)

// Headroom answers whether the work would survive the loss of any one host: a slot does
// while an instance of it runs.
type Headroom struct {
	Survives bool   `json:"survives"`
	Text     string `json:"text"`
	// Losses are the hosts whose loss would leave instances without a place, the
	// worst first.
	Losses []Loss `json:"losses"`
}

// Loss is what the loss of one host would mean.
type Loss struct {
	Host  string `json:"host"`
	Slots int    `json:"slots"` // instances that it holds
	// Down are slots of which nothing would run, as there is no place elsewhere.
	Down   int            `json:"down"`
	ByType map[string]int `json:"by_type"` // of Down
	// Names are those of Down of which it is sure which they are.
	Names []string `json:"names"`
	// Degraded are slots of which another instance would run, but not as many as wanted.
	Degraded []string `json:"degraded"`
}

// homeless is an instance of a host that is lost: of which stream, and which hosts may
// have it.
type homeless struct {
	key, name string
	host      stream.Selector
	beside    map[string]bool // hosts of the copies that it is apart from
	spare     bool            // another instance of its slot runs elsewhere
	bound     bool            // to the host that is lost: it goes nowhere else
}

func (h homeless) String() string { return h.name + " of " + h.key }

// held sorts the instances that run or are about to by their host and type; which are the
// types of which it counts which host takes them, and not only of what class it is.
func held(s stream.Status) (byHost map[string]map[string][]homeless, particular map[string]bool) {
	byHost, particular = map[string]map[string][]homeless{}, poolTypes(s.Hosts)
	for _, v := range s.Streams {
		for _, slot := range v.BySlot() {
			for _, one := range slot.Instances {
				if one.Host == "" || one.With != "" || one.State != stream.Running && one.State != stream.Assigned {
					continue
				}
				if byHost[one.Host] == nil {
					byHost[one.Host] = map[string][]homeless{}
				}
				item := v.Items[one.Slot]
				h := homeless{key: v.Key, name: one.Slot, host: item.Host, beside: map[string]bool{}, bound: bound(one.Instance)}
				for _, other := range slot.Instances {
					if other.Instance == one.Instance || other.Host == "" {
						continue
					}
					h.beside[other.Host] = item.Apart != ""
					h.spare = h.spare || other.Host != one.Host && other.Shown() == string(stream.Running)
				}
				byHost[one.Host][one.Type] = append(byHost[one.Host][one.Type], h)
				if !h.host.IsZero() || len(h.beside) > 0 || h.bound {
					particular[one.Type] = true
				}
			}
		}
	}
	return byHost, particular
}

// bound tells whether an instance is that of one host.
func bound(instance string) bool {
	i, err := stream.ParseInstance(instance)
	return err == nil && i.Host != ""
}

// headroom places the instances of each host on what the others have left,
// respecting filters, capacities, pools, states and what items say of hosts. It finds the
// best distribution, not just one: a slot that many services could take makes way for one
// that few can.
func headroom(s stream.Status, matches matcher) Headroom {
	all, particular := held(s)
	out := Headroom{Survives: true, Text: "yes", Losses: []Loss{}}
	for _, host := range slices.Sorted(maps.Keys(all)) {
		loss := Loss{Host: host, ByType: map[string]int{}, Names: []string{}, Degraded: []string{}}
		shared := map[string][]homeless{}
		for kind, ones := range all[host] {
			loss.Slots += len(ones)
			if particular[kind] {
				shared[kind] = ones
				continue
			}
			keys := make([]string, len(ones))
			for i, one := range ones {
				keys[i] = one.key
			}
			n := len(keys) - placeable(keys, roomWithout(s.Hosts, host, kind), matches)
			loss.add(kind, n)
			if n == len(ones) {
				for _, one := range ones {
					loss.Names = append(loss.Names, one.String())
				}
			}
		}
		for kind, ones := range unpacked(shared, s.Hosts, host, matches) {
			loss.take(kind, shared[kind], ones)
		}
		slices.Sort(loss.Names)
		slices.Sort(loss.Degraded)
		if loss.Down+len(loss.Degraded) > 0 {
			out.Losses = append(out.Losses, loss)
		}
	}
	slices.SortStableFunc(out.Losses, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(b.Down, a.Down), cmp.Compare(len(b.Degraded), len(a.Degraded)))
	})
	switch {
	case len(all) == 0:
		out.Text = "nothing runs"
	case len(out.Losses) > 0:
		out.Survives, out.Text = out.Losses[0].Down == 0, lossText(out.Losses)
	}
	return out
}

// take counts those of a type that found no place: their slot is down if nothing of it
// runs elsewhere, and nothing of it found one.
func (l *Loss) take(kind string, all, unplaced []homeless) {
	here, left := map[string]int{}, map[string]int{} // by slot
	for _, one := range all {
		if !one.spare {
			here[one.String()]++
		}
	}
	for _, one := range unplaced {
		left[one.String()]++
	}
	var down []string
	for _, slot := range slices.Sorted(maps.Keys(left)) {
		if here[slot] > 0 && left[slot] == here[slot] {
			down = append(down, slot)
		} else {
			l.Degraded = append(l.Degraded, slot)
		}
	}
	l.add(kind, len(down))
	if len(down) == len(here) { // else another of them may be left, as the order of their line decides
		l.Names = append(l.Names, down...)
	}
}

func (l *Loss) add(kind string, n int) {
	if n > 0 {
		l.ByType[kind] += n
		l.Down += n
	}
}

// maxNamed is how many slots a sentence names.
const maxNamed = 3

// lossText says what the worst loss would mean, and how many others there are.
func lossText(losses []Loss) string {
	worst, others := losses[0], 0
	for _, l := range losses[1:] {
		if l.Down > 0 || worst.Down == 0 {
			others++
		}
	}
	text := fmt.Sprintf("no: %d of the slots of %s would be down", worst.Down, worst.Host)
	switch {
	case worst.Down == 0 && len(worst.Degraded) <= maxNamed:
		text = "yes; without " + worst.Host + " " + strings.Join(worst.Degraded, ", ") + " would have fewer copies"
	case worst.Down == 0:
		text = fmt.Sprintf("yes; without %s %d slots would have fewer copies", worst.Host, len(worst.Degraded))
	case len(worst.Names) == worst.Down && worst.Down <= maxNamed:
		text = "no: " + strings.Join(worst.Names, ", ") + " would be down with " + worst.Host
	case len(worst.Names) > 0:
		text += ", " + worst.Names[0] + " among them"
	}
	switch {
	case others == 1:
		text += "; some with 1 other host"
	case others > 1:
		text += fmt.Sprintf("; some with %d other hosts", others)
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
