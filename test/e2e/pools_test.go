package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// sharing is a host's file: its pools, and services that run sleep.
func sharing(pools string, services ...string) string {
	text := "network:\n  pools: " + pools + "\nservices:\n"
	for _, s := range services {
		name, rest, _ := strings.Cut(s, " ")
		text += fmt.Sprintf("  %s: {plugin: {name: exec, path: sleep, args: [\"100000\"], stop: {grace: 1s}}, %s}\n", name, rest)
	}
	return text
}

// taken is what each host's running slots take of a pool, as the picture tells and as
// its slots and what they use come to.
func taken(t *testing.T, status stream.Status, pool string) map[string]stream.Amount {
	t.Helper()
	out := map[string]stream.Amount{}
	uses := map[string]stream.Amount{}
	for _, h := range status.Hosts {
		for _, v := range h.Services {
			uses[v.Type+"@"+h.Host] = v.Uses[pool]
		}
	}
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			if slot.State == stream.Running {
				out[slot.Host] += uses[slot.Type+"@"+slot.Host]
			}
		}
	}
	return out
}

// Two types on one card of each of two hosts: they fill both alike, no further, and what
// waits says what is missing.
func TestTypesOnOnePoolAreBalancedTogether(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t, keys("s", 0, 3)...)
	file := sharing("{nvenc: 6}", "enc uses: {nvenc: 2}", "thumb uses: {nvenc: 1}")
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("enc, thumb")+file)
	realrun.Start(t, "b", redis.URL(), quickLease+file)
	realtest.Await(t, time.Minute, "3 slots of 2 and 3 of 1 on two cards, apart by one slot", func() bool {
		got := taken(t, realrun.Status(t, redis.URL()), "nvenc")
		return got["a"]+got["b"] == 9000 && max(got["a"], got["b"]) <= 5000
	})
	list.set(keys("s", 0, 6)...)
	realtest.Await(t, time.Minute, "both cards are full, and what waits says why", func() bool {
		status := realrun.Status(t, redis.URL())
		got := taken(t, status, "nvenc")
		for _, s := range status.Streams {
			for _, slot := range s.Slots {
				if slot.State == stream.Pending && (slot.Code != stream.CodePoolFull || !strings.Contains(slot.Reason, " of nvenc; the emptiest, ")) {
					return false
				}
			}
		}
		for _, h := range status.Hosts {
			if p := h.Pools[0]; p.Used != got[h.Host] || p.Used > p.Size {
				return false
			}
		}
		return got["a"] >= 5000 && got["b"] >= 5000
	})
}

// Capacities that look safe for each type, 1, 1, 3 and 12, are 17 slots that cost 20 cores. A
// host that has 6.4 takes what these hold.
func TestSeventeenSlotsOfTwentyCoresAreRefused(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t, keys("e", 0, 12)...)
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("room, web, participant, track")+sharing("{cpu: 6.4}",
		"room capacity: 1, uses: {cpu: 4}", "web capacity: 1, uses: {cpu: 4}", "participant capacity: 3, uses: {cpu: 2}", "track capacity: 12, uses: {cpu: 0.5}"))
	realtest.Await(t, time.Minute, "less than half a core is left, and no slot more fits", func() bool {
		got := taken(t, realrun.Status(t, redis.URL()), "cpu")["a"]
		if got > 6400 {
			t.Errorf("%s cores of 6.4 are taken", got)
		}
		return got > 6400-500
	})
}
