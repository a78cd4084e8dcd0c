package scheduler

import (
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

func TestChainIsPlacedAsItsVariablesComeAndEndsWithItsStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a",
		offerOf("dist", 10, stream.Class{}),
		offerOf("transcode", 1, stream.Class{Needs: "dist:url"}))
	a.vars["dist"] = map[string]string{"url": "http://a"}
	s, _ := r.run(newFleet(a), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"transcode", "dist"}})
	r.awaitState("s1", "dist", stream.Running)
	r.awaitState("s1", "transcode", stream.Running)

	r.add("s2", stream.Announcement{Chain: []string{"transcode", "dist"}})
	r.awaitReason("s2", "transcode", "the only transcode service that matches is full: 1/1")

	if _, err := r.store.Retract(t.Context(), store.ManualSource, "s1"); err != nil {
		t.Fatal(err)
	}
	r.awaitState("s2", "transcode", stream.Running)
	r.await("s1 is not forgotten", func() bool {
		records, err := r.store.Records(t.Context(), []string{"s1"})
		return err == nil && len(records) == 0
	})
	if got := s.Stats(); got.Placed != 4 || !got.Seated {
		t.Errorf("stats %+v; want 4 placed and seated", got)
	}
}
