package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stream-api/stream"
)

// TestManyClassesAreServedEvenly: each host has a class of its own, and there are
// more of them than one call of the store takes. They were asked in the order of
// their digests: 0 0 0 0 7 7 7 7 8 8 8 8.
func TestManyClassesAreServedEvenly(t *testing.T) {
	t.Parallel()
	tests := []struct{ hosts, slots, differ int }{{12, 60, 1}, {40, 200, 2}, {40, 30, 1}}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d hosts, %d slots", tt.hosts, tt.slots), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.ttl = 30 * time.Second // so that a busy machine loses none
			fleet := newFleet()
			for i := range tt.hosts {
				name := fmt.Sprintf("h%02d", i)
				fleet.hosts[name] = r.host(name, offerOf("record", 10, stream.Class{Prefer: fmt.Sprintf("^never%d$", i)}))
			}
			for i := range tt.slots {
				r.add(fmt.Sprintf("s%03d", i), stream.Announcement{Chain: []string{"record"}})
			}
			r.run(fleet, Options{})
			var used []int
			r.await("all slots run", func() bool {
				used = nil
				hosts, err := r.store.Hosts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				sum := 0
				for _, h := range hosts {
					used, sum = append(used, h.Services[0].Used), sum+h.Services[0].Used
				}
				return sum == tt.slots
			})
			slices.Sort(used)
			if used[len(used)-1]-used[0] > tt.differ {
				t.Errorf("slots of the hosts: %v; want them to differ by %d at most", used, tt.differ)
			}
		})
	}
}
