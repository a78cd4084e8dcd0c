package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// rolloutFile is the file of all hosts; version 0: none is said.
func rolloutFile(list *listing, chain string, version int) string {
	text := fmt.Sprintf("sources:\n  - name: list\n    plugin: exec\n    vars: {command: [cat, %q], interval: 300ms, gone_after: 1s}\n    chain: [%s]\n", list.path, chain)
	if version > 0 {
		text += fmt.Sprintf("    rules_version: %d\n", version)
	}
	return quickLease + text
}

const rolloutServices = "services:\n  work: {plugin: {name: exec, path: sleep, args: [\"100000\"]}}\n  rec: {plugin: {name: exec, path: sleep, args: [\"100000\"]}}\n"

// TestARolloutIsOneChange: five hosts that poll one source are given another file one by one, in any order.
func TestARolloutIsOneChange(t *testing.T) {
	t.Parallel()
	for _, versions := range [][2]int{{0, 0}, {6, 7}} {
		t.Run(fmt.Sprintf("versions %v", versions), func(t *testing.T) {
			t.Parallel()
			redis, list := realtest.Redis(t), newListing(t, "s1", "s2", "s3")
			before, after := rolloutFile(list, "work, rec", versions[0]), rolloutFile(list, "work", versions[1])
			worker := realrun.Start(t, "h0", redis.URL(), before+rolloutServices)
			hosts := []*realrun.Host{worker}
			for i := range 4 {
				hosts = append(hosts, realrun.Start(t, fmt.Sprintf("h%d", i+1), redis.URL(), before))
			}
			running := func(want string) func() bool {
				return func() bool {
					var all []string
					for _, s := range realrun.Status(t, redis.URL()).Streams {
						for _, slot := range s.Slots {
							if slot.State != stream.Running || slot.Phase != stream.Runs {
								return false
							}
							all = append(all, slot.Slot)
						}
					}
					slices.Sort(all)
					return strings.Join(all, " ") == want
				}
			}
			realtest.Await(t, time.Minute, "both slots of all run", running("rec rec rec work work work"))
			rules := func() (change []string) {
				for _, e := range realrun.Events(t, redis.URL(), 10000) {
					if e.Event == "rules" {
						change = append(change, e.Reason)
					}
				}
				return change
			}
			all := func(n int) func() bool {
				return func() bool {
					for _, h := range hosts {
						if strings.Count(h.Log(), "the host starts") < n {
							return false
						}
					}
					sources := realrun.Status(t, redis.URL()).Sources
					return len(sources) == 1 && len(sources[0].Differs) == 0
				}
			}
			realtest.Await(t, time.Minute, "all poll, and nobody differs", all(1))
			if got := rules(); len(got) != 1 {
				t.Fatalf("at first: %q", got)
			}

			rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
			for i, h := range hosts {
				text := after
				if h == worker {
					text += rolloutServices
				}
				h.Rewrite(text)
				if i == 0 {
					stdout, errOut, code := realrun.Command(t, redis.URL(), "check-config", "--live", h.ConfigFile(), h.OwnFile())
					if want := "list: rec goes: 3 children would stop, of 3 streams\n"; stdout != want || code != 5 {
						t.Errorf("check-config --live: %d, %q, %s; want %q", code, stdout, errOut, want)
					}
				}
				h.Signal(syscall.SIGHUP)
				realtest.Await(t, time.Minute, fmt.Sprintf("step %d of %s is told", i+1, h.Name), func() bool {
					source := realrun.Status(t, redis.URL()).Sources[0]
					if source.Rules.By != hosts[0].Name || len(source.Differs) != len(hosts)-1-i {
						return false
					}
					for _, f := range source.Differs {
						if f.What != "rec comes" || slices.ContainsFunc(hosts[:i+1], func(h *realrun.Host) bool { return h.Name == f.Host }) {
							return false
						}
					}
					return true
				})
			}
			realtest.Await(t, time.Minute, "the first slot of all runs", running("work work work"))
			version := max(2, versions[1])
			want := fmt.Sprintf("list: v%d of %s: rec goes", version, hosts[0].Name)
			if got := rules(); len(got) != 2 || got[1] != want {
				t.Errorf("changes: %q, want a second one, %q", got, want)
			}
			if n := strings.Count(strings.Join(kinds(t, redis), " "), "stopping"); n != 3 {
				t.Errorf("%d children were stopped, want those of the slot that went, 3", n)
			}
		})
	}
}

// kinds are the events in order, without what they are about.
func kinds(t *testing.T, redis *realtest.RedisServer) (all []string) {
	t.Helper()
	for _, e := range realrun.Events(t, redis.URL(), 10000) {
		all = append(all, e.Event)
	}
	return all
}
