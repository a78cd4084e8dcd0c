package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// TestAClassThatAHandTookAwayIsMadeAnewWithItsPreference: the class is derived
// from the service alone.
func TestAClassThatAHandTookAwayIsMadeAnewWithItsPreference(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	class := stream.Class{Filter: "^s", Prefer: "^s1$", Needs: ""}
	_, err := g.s.Register(g.ctx, store.Registration{
		Holder: store.Holder{Host: "a", Incarnation: "a-1"}, HostID: "id-a", TTL: 10 * time.Second, Beat: 2 * time.Second,
		Offers: []store.Offer{{Type: "enc", Class: class}},
	})
	g.must(err)
	g.must(g.client.Del(g.ctx, "classes:enc").Err())
	_, err = g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	classes, err := g.s.Classes(g.ctx, "enc")
	g.must(err)
	if len(classes) != 1 || classes[class.ID()] != class {
		t.Errorf("classes %+v; want %+v alone", classes, class)
	}
}

// TestManyHostsAreReindexedInFewRoundTrips counts what is sent at once.
func TestManyHostsAreReindexedInFewRoundTrips(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	for i := range 120 {
		g.host(fmt.Sprintf("h%03d", i))
	}
	g.must(g.client.HSet(g.ctx, "service:enc:h007", "used", "5").Err())
	trips := &roundTrips{}
	g.client.(*redis.Client).AddHook(trips)
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	r, err := g.s.ReindexHosts(g.ctx, hosts, nil, store.Held{})
	g.must(err)
	if r.Mended != 1 || len(r.Refused) != 0 {
		t.Errorf("%+v; want one mended and none refused", r)
	}
	if trips.n > 10 {
		t.Errorf("%d round trips for 120 hosts; want few", trips.n)
	}
}
