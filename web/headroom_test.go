package web

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"stream-api/stream"
)

func hostWith(name string, services ...stream.ServiceStatus) stream.HostStatus {
	for i := range services {
		if services[i].State == "" {
			services[i].State = stream.Up
		}
	}
	return stream.HostStatus{Host: name, State: stream.Up, Services: services}
}

func service(kind string, capacity, used int, filter string) stream.ServiceStatus {
	return stream.ServiceStatus{Type: kind, Capacity: &capacity, Used: used, Filter: filter}
}

// uses is a service without a capacity whose slots take so much of the pool gpu.
func uses(kind string, used int, amount stream.Amount) stream.ServiceStatus {
	return stream.ServiceStatus{Type: kind, Used: used, Uses: stream.Amounts{"gpu": amount}}
}

func pooledHost(name string, size, used stream.Amount, services ...stream.ServiceStatus) stream.HostStatus {
	h := hostWith(name, services...)
	h.Pools = []stream.PoolStatus{{Pool: "gpu", Size: size, Used: used}}
	return h
}

func runs(key string, at ...string) stream.StreamStatus {
	v := stream.StreamStatus{Key: key}
	for i := 0; i < len(at); i += 2 {
		v.Slots = append(v.Slots, stream.InstanceStatus{Slot: at[i], Type: at[i], Host: at[i+1], State: stream.Running})
	}
	return v
}

func TestHeadroomSaysWhetherEachHostCouldBeLost(t *testing.T) {
	t.Parallel()
	unlimited := stream.ServiceStatus{Type: "t"}
	for name, c := range map[string]struct {
		hosts   []stream.HostStatus
		streams []stream.StreamStatus
		want    string
	}{
		"nothing runs": {want: "nothing runs"},
		"room elsewhere": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 2, 1, "")), hostWith("b", service("t", 2, 1, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "a"), runs("s2", "t", "b")}, want: "yes",
		},
		"no limit elsewhere": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 2, 2, "")), hostWith("b", unlimited)},
			streams: []stream.StreamStatus{runs("s1", "t", "a"), runs("s2", "t", "a")}, want: "yes",
		},
		"one host only": {
			hosts:   []stream.HostStatus{hostWith("speedy", service("t", 9, 3, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "speedy"), runs("s2", "t", "speedy"), runs("s3", "t", "speedy")},
			want:    "no: t of s1, t of s2, t of s3 would be down with speedy",
		},
		"others are full": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 1, 1, "")), hostWith("b", service("t", 1, 1, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "a"), runs("s2", "t", "b")},
			want:    "no: t of s1 would be down with a; some with 1 other host",
		},
		"the filter does not match": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 1, 1, "")), hostWith("b", service("t", 5, 0, "^q"))},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "no: t of s1 would be down with a",
		},
		"a cordoned host takes nothing": {
			hosts: []stream.HostStatus{hostWith("a", service("t", 1, 1, "")), {Host: "b", State: stream.Cordoned,
				Services: []stream.ServiceStatus{service("t", 5, 0, "")}}},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "no: t of s1 would be down with a",
		},
		"a picky slot is made way for": {
			// s1 fits only the open service, q1 both; taking the first that
			// fits for q1 would leave s1 without.
			hosts:   []stream.HostStatus{hostWith("a", service("t", 2, 2, "")), hostWith("b", service("t", 1, 0, "")), hostWith("c", service("t", 1, 0, "^q"))},
			streams: []stream.StreamStatus{runs("q1", "t", "a"), runs("s1", "t", "a")}, want: "yes",
		},
		"an overfull service has no room": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 1, 1, "")), hostWith("b", service("t", 1, 3, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "no: t of s1 would be down with a",
		},
		"a successor counts under its type": {
			hosts:   []stream.HostStatus{hostWith("a", service("t", 1, 1, "")), hostWith("b", service("t", 1, 0, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "yes",
		},
		"types meet in a pool": {
			// Each alone would find a place on b, both do not.
			hosts: []stream.HostStatus{
				pooledHost("a", 4000, 2000, uses("t", 1, 1000), uses("u", 1, 1000)), pooledHost("b", 4000, 3000, uses("t", 0, 1000), uses("u", 0, 1000))},
			streams: []stream.StreamStatus{runs("s1", "t", "a", "u", "a")}, want: "no: u of s1 would be down with a",
		},
		"a pool has room": {
			hosts: []stream.HostStatus{
				pooledHost("a", 4000, 2000, uses("t", 1, 1000), uses("u", 1, 1000)), pooledHost("b", 4000, 2000, uses("t", 0, 1000), uses("u", 0, 1000))},
			streams: []stream.StreamStatus{runs("s1", "t", "a", "u", "a")}, want: "yes",
		},
		"the large first": {
			// u's 3 fit b alone; t's 2 × 1 would lie there if they were placed first.
			hosts: []stream.HostStatus{pooledHost("a", 5000, 5000, uses("t", 2, 1000), uses("u", 1, 3000)),
				pooledHost("b", 3000, 0, uses("t", 0, 1000), uses("u", 0, 3000)), pooledHost("c", 2000, 0, uses("t", 0, 1000))},
			streams: []stream.StreamStatus{runs("s1", "t", "a"), runs("s2", "t", "a"), runs("s3", "u", "a")}, want: "yes",
		},
		"pool here, capacity there": {
			hosts:   []stream.HostStatus{pooledHost("a", 1000, 1000, uses("t", 1, 1000)), hostWith("b", service("t", 1, 0, ""))},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "yes",
		},
		"an over-full pool has no room": {
			hosts:   []stream.HostStatus{pooledHost("a", 1000, 1000, uses("t", 1, 1000)), pooledHost("b", 1000, 3000, uses("t", 3, 1000))},
			streams: []stream.StreamStatus{runs("s1", "t", "a")}, want: "no: t of s1 would be down with a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := headroom(stream.Status{Hosts: c.hosts, Streams: c.streams}, matcher{}); got.Text != c.want {
				t.Errorf("headroom says %q; want %q", got.Text, c.want)
			}
		})
	}
}

// TestPlaceableIsTheBestDistribution compares with trying every one.
func TestPlaceableIsTheBestDistribution(t *testing.T) {
	t.Parallel()
	filters := []string{"", "^a", "b$", "^c", "1"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		room := map[string]int{}
		for range r.IntN(4) {
			room[filters[r.IntN(len(filters))]] = r.IntN(3)
		}
		var keys []string
		for range r.IntN(6) {
			keys = append(keys, fmt.Sprintf("%c%d%c", 'a'+rune(r.IntN(4)), r.IntN(2), 'a'+rune(r.IntN(3))))
		}
		m := matcher{}
		if got, want := placeable(keys, room, m), tryAll(keys, room, m); got != want {
			t.Fatalf("seed %d: %v on %v: %d find a place; %d could", seed, keys, room, got, want)
		}
	}
}

func tryAll(keys []string, room map[string]int, m matcher) int {
	if len(keys) == 0 {
		return 0
	}
	best := tryAll(keys[1:], room, m)
	for filter, n := range room {
		if n > 0 && m.match(filter, keys[0]) {
			room[filter]--
			best = max(best, 1+tryAll(keys[1:], room, m))
			room[filter]++
		}
	}
	return best
}

// TestHeadroomKnowsWhichHostsAnItemMeans: room on a host that a slot may not go to is none.
func TestHeadroomKnowsWhichHostsAnItemMeans(t *testing.T) {
	t.Parallel()
	at := func(site string, h stream.HostStatus) stream.HostStatus {
		h.Labels = map[string]string{"site": site}
		return h
	}
	hosts := []stream.HostStatus{
		at("ham", hostWith("h1", service("t", 2, 1, ""))), at("ber", hostWith("b1", service("t", 9, 0, ""))), at("ham", hostWith("h2", service("t", 1, 0, ""))),
	}
	means := func(s stream.Selector) []stream.StreamStatus {
		v := runs("s1", "t", "h1")
		v.Items = stream.Items{"t": {Host: s}}
		return []stream.StreamStatus{v, runs("s2", "t", "h1")}
	}
	for _, tt := range []struct {
		name string
		s    stream.Selector
		want string
	}{
		{"any", stream.Selector{}, "yes"},
		{"a site with room", stream.Selector{Labels: map[string]stream.Values{"site": {"ham"}}}, "yes"},
		{"a site that is it alone", stream.Selector{Labels: map[string]stream.Values{"site": {"!ber"}, "rack": {"1"}}}, "no: 1 of the slots of h1 would be down"},
		{"the host itself", stream.Selector{Name: "h1"}, "no: 1 of the slots of h1 would be down"},
	} {
		if got := headroom(stream.Status{Hosts: hosts, Streams: means(tt.s)}, matcher{}).Text; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHeadroomKnowsPairs: a slot whose other copy runs on elsewhere survives, though this one finds no place.
func TestHeadroomKnowsPairs(t *testing.T) {
	t.Parallel()
	pair := func(key, apart string, at ...string) stream.StreamStatus {
		v := stream.StreamStatus{Key: key, Items: stream.Items{"t": {Copies: len(at), Apart: apart}}}
		for i, host := range at {
			v.Slots = append(v.Slots, stream.InstanceStatus{Slot: "t", Instance: fmt.Sprintf("t.%d", i+1), Type: "t", Copy: i + 1, Host: host, State: stream.Running})
		}
		return v
	}
	each := pair("s1", "", "a", "b")
	each.Slots[0].Instance, each.Slots[1].Instance = "t@a", "t@b"
	alone := pair("s1", "", "a")
	alone.Slots[0].Instance = "t@a"
	dead := pair("s1", stream.ApartHost, "a", "b")
	dead.Slots[1].State, dead.Slots[1].Phase = stream.Running, stream.Failing
	two := []stream.HostStatus{hostWith("a", service("t", 9, 1, "")), hostWith("b", service("t", 9, 1, ""))}
	three := append(two[:2:2], hostWith("c", service("t", 9, 0, "")))
	full := []stream.HostStatus{hostWith("a", service("t", 2, 2, "")), hostWith("b", service("t", 1, 0, ""))}
	for name, c := range map[string]struct {
		hosts   []stream.HostStatus
		streams []stream.StreamStatus
		want    string
	}{
		"apart on two hosts":         {two, []stream.StreamStatus{pair("s1", stream.ApartHost, "a", "b")}, "yes; without a t of s1 would have fewer copies; some with 1 other host"},
		"apart, a third has room":    {three, []stream.StreamStatus{pair("s1", stream.ApartHost, "a", "b")}, "yes"},
		"not apart":                  {two, []stream.StreamStatus{pair("s1", "", "a", "b")}, "yes"},
		"the other copy fails":       {two, []stream.StreamStatus{dead}, "no: t of s1 would be down with a"},
		"both on one, room for one":  {full, []stream.StreamStatus{pair("s1", "", "a", "a")}, "yes; without a t of s1 would have fewer copies"},
		"both on one, room for none": {full[:1], []stream.StreamStatus{pair("s1", "", "a", "a")}, "no: t of s1 would be down with a"},
		"what is needed comes first": {full, []stream.StreamStatus{pair("s1", "", "a", "z"), pair("s2", "", "a")}, "yes; without a t of s1 would have fewer copies"},
		"one for each host":          {two, []stream.StreamStatus{each}, "yes; without a t of s1 would have fewer copies; some with 1 other host"},
		"one for the only host":      {three, []stream.StreamStatus{alone}, "no: t of s1 would be down with a"},
	} {
		if got := headroom(stream.Status{Hosts: c.hosts, Streams: c.streams}, matcher{}).Text; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
