package stream

import (
	"maps"
	"slices"
	"testing"
)

// TestAStatusTellsWhatIsFar: of what runs, from what has a place.
func TestAStatusTellsWhatIsFar(t *testing.T) {
	t.Parallel()
	labels := map[string]Labels{"a1": {"site": "alb", "region": "sued"}, "a2": {"site": "alb"}, "u1": {"site": "ulm", "region": "sued"}, "b1": {"site": "ber"}}
	s := StreamStatus{
		Labels: map[string]string{"site": "alb", "region": "sued"},
		Items: Items{
			"dist": {Near: []string{"source"}}, "hls": {Near: []string{"dist", "source", "away", "waits"}}, "thumb": {Near: []string{"hls", "source"}},
			"waits": {Near: []string{"dist"}},
		},
		Slots: []InstanceStatus{
			{Slot: "dist", Instance: "dist.1", Lead: true, State: Running, Host: "u1"},
			{Slot: "hls", Instance: "hls.1", State: Running, Host: "u1"},
			{Slot: "hls", Instance: "hls.2", Lead: true, State: Assigned, Host: "a1"},
			{Slot: "thumb", Instance: "thumb.1", Lead: true, State: Running, Host: "b1"},
			{Slot: "thumb", Instance: "thumb.2", State: Stopping, Host: "a2"},
			{Slot: "waits", Instance: "waits.1", Lead: true, State: Pending},
		},
	}
	s.Measure(func(host string) Labels { return labels[host] })
	want := []map[string]string{
		{"source": "region"}, {"dist": "host", "source": "region"}, {"dist": "region", "source": "site"},
		{"hls": "far", "source": "far"}, {"hls": "site", "source": "site"}, nil,
	}
	for i, v := range s.Slots {
		if !maps.Equal(v.Near, want[i]) {
			t.Errorf("%s is near %v, want %v", v.Instance, v.Near, want[i])
		}
	}
	if got := s.Far(s.Slots[3]); !slices.Equal(got, []string{"hls", "source"}) {
		t.Errorf("thumb.1 is far from %v", got)
	}
}
