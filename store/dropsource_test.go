package store_test

import (
	"errors"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// A source that was renamed or taken out of the files is unknown for ever, and
// so are its streams, until an operator says that it is no more.
func TestADroppedSourceTakesItsStreamsBack(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	h := g.host("a")
	poll := func() error {
		_, err := g.s.Announce(g.ctx, store.Poll{Source: "old", Poller: "a",
			Upsert: map[string]string{"s1": stream.Announcement{Chain: []string{"enc"}}.Encode()}, Info: store.SourceInfo{Type: "icecast", URL: "u"}, GoneAfter: 5 * time.Second})
		return err
	}
	var polled *store.PolledError
	drop := func() error { _, err := g.s.DropSource(g.ctx, "old"); return err }
	if err := drop(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a source that never was: %v", err)
	}
	g.must(poll())
	wantMarked(t, g.s, "s1", true, "enc")
	g.runs(g.given("s1", "a"), h)
	if err := drop(); !errors.As(err, &polled) || polled.Poller != "a" {
		t.Errorf("dropped while it is polled: %v", err)
	}
	g.pass(time.Minute, h)
	g.must(g.s.SourceFailed(g.ctx, "old", store.SourceInfo{Type: "icecast", URL: "u"}, "a", "refused", time.Second))
	if err := drop(); !errors.As(err, &polled) {
		t.Errorf("dropped while a poller fails at it: %v", err)
	}
	g.pass(time.Minute, h)
	n, err := g.s.DropSource(g.ctx, "old")
	if err != nil || n != 1 {
		t.Fatalf("%d streams, %v; want one", n, err)
	}
	if cmds := wantMarked(t, g.s, "s1", false); len(cmds.Stops) != 1 {
		t.Errorf("stops %+v; want that of s1", cmds.Stops)
	}
	for _, key := range []string{"source:old", "announced:old", "missing:old"} {
		if g.client.Exists(g.ctx, key).Val() != 0 {
			t.Errorf("%s is left", key)
		}
	}
	if sources, err := g.s.Sources(g.ctx); err != nil || len(sources) != 0 {
		t.Errorf("sources %+v, %v", sources, err)
	}
}
