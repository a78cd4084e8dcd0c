package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

var (
	alb = stream.Labels{"site": "alb", "region": "sued"}
	ulm = stream.Labels{"site": "ulm", "region": "sued"}
	ber = stream.Labels{"site": "ber", "region": "nord"}
)

// TestAStreamOfASiteIsProcessedThere while there is room, over the hill when there is
// none; and what is near a slot is on its host, though a type has its turn before that
// of its target.
func TestAStreamOfASiteIsProcessedThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ttl = 30 * time.Second
	offers := []store.Offer{offerOf("dist", 1, stream.Class{}), offerOf("audio", 1, stream.Class{})}
	r.run(newFleet(
		r.hostOf(ber, "b1", offers...), r.hostOf(ulm, "u1", offers...), r.hostOf(alb, "a1", offers...), r.hostOf(alb, "a2", offers...), r.host("x1", offers...),
	), Options{})
	var keys []string
	for i := range 5 {
		key := fmt.Sprintf("s%d", i)
		keys = append(keys, key)
		r.add(key, stream.Announcement{
			Chain: []string{"audio", "dist"}, Labels: alb,
			Items: stream.Items{"dist": {Near: []string{"source"}}, "audio": {Near: []string{"dist", "source"}}},
		})
		r.awaitState(key, "dist", stream.Running)
	}
	var hosts []string
	for _, key := range keys {
		dist, audio := r.awaitState(key, "dist", stream.Running), r.awaitState(key, "audio", stream.Running)
		hosts = append(hosts, dist.Host[:1])
		if dist.Host != audio.Host {
			t.Errorf("%s: audio is on %s, dist on %s", key, audio.Host, dist.Host)
		}
	}
	if got := strings.Join(hosts[:3], " "); got != "a a u" {
		t.Errorf("streams of alb are processed at %v; want the two that alb has room for there, the next within the region", hosts)
	}
}

// TestANearSlotWaitsForItsTargetAMoment: and nobody behind it gets the place meanwhile
// that it would take.
func TestANearSlotWaitsForItsTargetAMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ttl = 30 * time.Second
	thumb := offerOf("thumb", 2, stream.Class{})
	r.run(newFleet(r.hostOf(alb, "a1", thumb), r.hostOf(ber, "b1", thumb)), Options{})
	r.add("s0", stream.Announcement{Chain: []string{"thumb"}})
	r.awaitState("s0", "thumb", stream.Running)
	r.add("s1", stream.Announcement{Chain: []string{"dist", "thumb"}, Priority: 5, Items: stream.Items{"thumb": {Near: []string{"dist"}}}})
	r.awaitState("s1", "dist", stream.Pending) // nobody offers it, which is noted within a second
	r.add("s2", stream.Announcement{Chain: []string{"thumb"}})
	r.awaitState("s2", "thumb", stream.Running)
	events, err := r.store.LastEvents(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var placed []string
	for _, e := range events {
		if e.Event == "placed" {
			placed = append(placed, e.Stream)
		}
	}
	if got := strings.Join(placed, " "); got != "s0 s1 s2" {
		t.Errorf("placed in the order %s; s2 is behind s1", got)
	}
}

// TestCopiesAreSpreadOverSites: as far as there are sites; apart by site none shares one.
func TestCopiesAreSpreadOverSites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ttl = 30 * time.Second
	offer := offerOf("playout", 50, stream.Class{})
	r.run(newFleet(r.hostOf(alb, "a1", offer), r.hostOf(alb, "a2", offer), r.hostOf(alb, "a3", offer), r.hostOf(ber, "b1", offer)), Options{})
	for i := range 6 {
		r.add(fmt.Sprintf("s%d", i), stream.Announcement{Chain: []string{"playout"}, Items: stream.Items{"playout": {Copies: 3, Spread: "site"}}})
	}
	r.add("apart", stream.Announcement{Chain: []string{"playout"}, Items: stream.Items{"playout": {Copies: 3, Apart: "site"}}})
	sites := func(key string, n int) string {
		var on []string
		for i := range n {
			on = append(on, r.awaitState(key, fmt.Sprintf("playout.%d", i+1), stream.Running).Host[:1])
		}
		slices.Sort(on)
		return strings.Join(on, " ")
	}
	for i := range 6 {
		if got := sites(fmt.Sprintf("s%d", i), 3); got != "a a b" && got != "a b b" {
			t.Errorf("three copies over two sites: %s", got)
		}
	}
	if got := sites("apart", 2); got != "a b" {
		t.Errorf("apart by site they are at %s", got)
	}
	r.await("a third copy does not say that both sites have one", func() bool {
		text := r.instance("apart", "playout.3").Reason.String()
		return strings.Contains(text, "site alb holds playout.") && strings.Contains(text, "site ber holds playout.")
	})
}

func TestTypesHaveTheirTurnAfterTheirTargets(t *testing.T) {
	t.Parallel()
	var n nearTypes
	n.learnAll([]string{"a", "b", "c"}, stream.Items{"a": {Near: []string{"source", "b"}}, "b": {Type: "y", Near: []string{"c"}}})
	if got := strings.Join(n.sort([]string{"a", "d", "y"}), " "); got != "y a d" {
		t.Errorf("their order is %s", got)
	}
	if got := strings.Join(n.sort([]string{"a", "c", "y"}), " "); got != "c y a" {
		t.Errorf("their order is %s", got)
	}
	if n.learn("a", "y") || !n.learn("c", "a") {
		t.Error("what is known is news, or what is news known")
	}
	if got := n.sort([]string{"a", "c", "y"}); len(got) != 3 {
		t.Errorf("in a circle: %v", got)
	}
}
