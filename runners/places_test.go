package runners_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

func TestNoCapacitySetByHandExceedsThePlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", story, func(s *plan.Service) {
		*s.Capacity, s.Places = 2, []map[string]string{{"gpu": "a"}, {"gpu": "b"}}
	})))
	for _, key := range []string{"s1", "s2"} {
		w.announce(key, nil, "work")
		w.awaitRunning(key, "work", "speedy")
	}
	ctx := context.Background()
	five, one := 5, 1
	for _, capacity := range []*int{&five, nil} {
		var refused *store.PlacesError
		if err := w.store.SetCapacity(ctx, "work", "speedy", capacity); !errors.As(err, &refused) || refused.Places != 2 {
			t.Errorf("capacity %v: %v", capacity, err)
		}
	}
	if err := w.store.SetCapacity(ctx, "work", "speedy", &one); err != nil {
		t.Error(err)
	}
	capacity := func() int {
		hosts, err := w.store.Hosts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return hosts[0].Services[0].Limit
	}
	w.announce("s3", nil, "work")
	for _, edit := range []func() error{
		func() error { return w.client.HSet(ctx, "service:work:speedy", "capacity", 5).Err() },
		func() error { return w.client.HDel(ctx, "service:work:speedy", "capacity").Err() },
	} {
		if err := edit(); err != nil {
			t.Fatal(err)
		}
		if got := capacity(); got != 2 {
			t.Errorf("a capacity of %d is counted", got)
		}
		if _, err := w.store.Reindex(ctx, "speedy", nil); err != nil {
			t.Fatal(err)
		}
		if got, err := w.client.HGet(ctx, "service:work:speedy", "capacity").Result(); err != nil || got != "2" {
			t.Errorf("capacity is %q, %v", got, err)
		}
	}
	third := w.awaitSlot("s3", "work", "is not wanted", func(s store.InstanceRecord) bool { return s.State == stream.Pending })
	placed, err := w.store.Place(ctx, []store.Request{{Key: "s3", Instance: third.Instance, Type: "work", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
	if err != nil || placed[0].Outcome == store.Placed || w.instance("s3", "work").State != stream.Pending {
		t.Errorf("a third slot is placed: %+v, %v", placed, err)
	}
	events, err := w.store.LastEvents(ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		if e.Event == "mended" && strings.Contains(e.Reason, "as it has no more places") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("told %d times of what was set by hand", told)
	}
	w.retract("s1")
	realtest.Await(t, 60*time.Second, "the third does not follow", func() bool { return w.instance("s3", "work").State == stream.Running })
}
