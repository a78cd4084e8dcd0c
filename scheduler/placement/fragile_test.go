package placement

import (
	"testing"

	"stream-api/stream"
)

func TestFragileIsWhatWouldFindNoPlaceAgain(t *testing.T) {
	t.Parallel()
	limit := func(n int) *int { return &n }
	offer := func(v stream.ServiceStatus) stream.ServiceStatus {
		v.Type, v.State = "work", stream.Up
		return v
	}
	host := func(name string, v stream.ServiceStatus) stream.HostStatus {
		return stream.HostStatus{Host: name, State: stream.Up, Services: []stream.ServiceStatus{offer(v)}}
	}
	labelled := func(h stream.HostStatus, site string) stream.HostStatus {
		h.Labels = map[string]string{"site": site}
		return h
	}
	pooled := func(h stream.HostStatus, size, used stream.Amount) stream.HostStatus {
		h.Pools = []stream.PoolStatus{{Pool: "cpu", Size: size, Used: used}}
		return h
	}
	cordoned := host("a", stream.ServiceStatus{Used: 1})
	cordoned.State, cordoned.Services[0].State = stream.Cordoned, stream.Cordoned
	unwell := host("a", stream.ServiceStatus{Used: 1, Told: stream.Because(stream.CodeCheckFails, "error", "502", "type", "work").Told()})
	ignored := host("b", stream.ServiceStatus{Told: stream.Because(stream.CodeCheckIgnored, "error", "502", "type", "work").Told()})
	broken := host("a", stream.ServiceStatus{Used: 1, Told: stream.Because(stream.CodeBadCapacity, "capacity", `"many"`).Told()})
	only, site := stream.ServiceStatus{Filter: "^x", Used: 1}, stream.Selector{Labels: map[string]stream.Values{"site": {"ham"}}}
	for name, c := range map[string]struct {
		item   stream.Item
		pin    string
		beside string // where a copy of the same slot runs
		hosts  []stream.HostStatus
		want   string
	}{
		"as it was":                  {hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Capacity: limit(1), Used: 1})}},
		"filter":                     {hosts: []stream.HostStatus{host("a", only)}, want: "the filter of the only work service does not match this stream"},
		"filter, room elsewhere":     {hosts: []stream.HostStatus{host("a", only), host("b", stream.ServiceStatus{})}},
		"filter, full elsewhere":     {hosts: []stream.HostStatus{host("a", only), host("b", stream.ServiceStatus{Capacity: limit(1), Used: 1})}, want: "the only work service that matches is full: 1/1"},
		"capacity":                   {hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Capacity: limit(1), Used: 2})}, want: "the only work service that matches is full: 2/1"},
		"capacity, of a sidecar":     {item: stream.Item{With: "dist"}, hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Capacity: limit(1), Used: 2})}},
		"label":                      {item: stream.Item{Host: site}, hosts: []stream.HostStatus{labelled(host("a", stream.ServiceStatus{Used: 1}), "ber")}, want: "no host that offers work is site=ham (a site=ber)"},
		"host of a name":             {item: stream.Item{Host: stream.Selector{Name: "b"}}, hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1})}, want: "no host that offers work is b (a)"},
		"label, room elsewhere":      {item: stream.Item{Host: site}, hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1}), labelled(host("b", stream.ServiceStatus{}), "ham")}},
		"pin":                        {pin: "b", hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1})}, want: "pinned to b: it offers no work that matches this stream"},
		"needs":                      {hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1, Needs: "dist:url gone:url"})}, want: "needs gone:url, but gone is not in the chain of this stream"},
		"needs that are there":       {hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1, Needs: "dist:url"})}},
		"pool":                       {hosts: []stream.HostStatus{pooled(host("a", stream.ServiceStatus{Used: 1, Uses: stream.Amounts{"cpu": 40_000}}), 8_000, 40_000)}, want: "needs 40 of cpu; a has 0 of 8"},
		"pool that it fills":         {hosts: []stream.HostStatus{pooled(host("a", stream.ServiceStatus{Used: 1, Uses: stream.Amounts{"cpu": 8_000}}), 8_000, 8_000)}},
		"pool, more than all":        {hosts: []stream.HostStatus{pooled(host("a", stream.ServiceStatus{Used: 2, Uses: stream.Amounts{"cpu": 5_000}}), 8_000, 10_000)}, want: "needs 5 of cpu; a has 0 of 8"},
		"together":                   {item: stream.Item{Apart: stream.ApartHost, Copies: 2}, beside: "a", hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 2})}, want: "apart: a holds work.2, and no other host offers a work that matches"},
		"apart":                      {item: stream.Item{Apart: stream.ApartHost, Copies: 2}, beside: "b", hosts: []stream.HostStatus{host("a", stream.ServiceStatus{Used: 1}), host("b", stream.ServiceStatus{Used: 1})}},
		"not offered":                {hosts: []stream.HostStatus{{Host: "a", State: stream.Up}}, want: "nobody offers work"},
		"broken":                     {hosts: []stream.HostStatus{broken}, want: `service:work:a takes nothing: capacity "many" is no whole number from 0 to 1000000`},
		"cordoned":                   {hosts: []stream.HostStatus{cordoned}},
		"unwell":                     {hosts: []stream.HostStatus{unwell}},
		"filter, a check not heeded": {hosts: []stream.HostStatus{host("a", only), ignored}},
	} {
		v := stream.StreamStatus{Key: "s1", Chain: []string{"dist", "work"}, Items: stream.Items{"work": c.item}, Slots: []stream.InstanceStatus{
			{Slot: "dist", Instance: "dist.1", Name: "dist", Type: "dist", State: stream.Pending, Vars: map[string]string{"url": "x"}},
			{Slot: "work", Instance: "work.1", Name: "work.1", Type: "work", State: stream.Running, Host: "a", Pin: c.pin},
		}}
		if c.beside != "" {
			v.Slots = append(v.Slots, stream.InstanceStatus{Slot: "work", Instance: "work.2", Name: "work.2", Type: "work", State: stream.Stopping, Host: c.beside})
		}
		got := ""
		for _, f := range Fragile(stream.Status{Streams: []stream.StreamStatus{v}, Hosts: c.hosts}) {
			got += f.Reason
			if f.Stream != "s1" || f.Instance != "work.1" || f.Host != "a" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
