package runners_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// telling is a child that notes the value it was started with.
const telling = `echo "$VALUE" >> "$NOTES/values"; ` + story

func (h *host) values() string {
	text, err := os.ReadFile(filepath.Join(h.notes, "values"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\n", " "))
}

// awaitNote waits for a note to be so.
func (h *host) awaitNote(name, want string) {
	h.w.t.Helper()
	realtest.Await(h.w.t, 60e9, name+" is not "+want, func() bool {
		text, err := os.ReadFile(filepath.Join(h.notes, name))
		return err == nil && strings.TrimSpace(string(text)) == want
	})
}

func (h *host) awaitValues(want string) {
	h.w.t.Helper()
	realtest.Await(h.w.t, 60e9, "values are not "+want, func() bool { return h.values() == want })
}

func valued(t *testing.T, value string, more ...func(*plan.Service)) func(*plan.Service) {
	return func(s *plan.Service) {
		s.Exec.Env["VALUE"] = template(t, value)
		for _, change := range more {
			change(s)
		}
	}
}

func TestAChildIsRestartedOnlyIfItsOwnEnvironmentChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	up := h.shell("up", `echo "url=one" > "$STREAM_API_VARS"; while [ ! -e "$NOTES/two" ]; do sleep 0.05; done; printf 'url=two\nnote=x\n' > "$STREAM_API_VARS"
while [ ! -e "$NOTES/three" ]; do sleep 0.05; done; printf 'url=two\nnote=y\n' > "$STREAM_API_VARS"; while :; do sleep 0.1; done`)
	h.run(h.options(up, h.shell("down", telling, valued(t, "${up:url}", func(s *plan.Service) { s.Class.Needs = "up:url" }))))
	w.announce("s1", nil, "up", "down")
	h.awaitValues("one")
	token := w.awaitRunning("s1", "down", "speedy").Token
	h.touch("two")
	h.awaitValues("one two")
	h.touch("three")
	w.awaitSlot("s1", "up", "does not publish again", func(s store.InstanceRecord) bool { return s.Vars["note"] == "y" })
	still(t, 3*beat, "a change of what it does not use restarted it", func() bool { return h.values() == "one two" })
	if s := w.instance("s1", "down"); s.Token != token || s.Restarts != 1 {
		t.Errorf("down is %+v; want the same token, restarted once", s)
	}
	// The upstream goes: its dependant does not.
	if err := w.store.Override(context.Background(), "s1", map[string]string{}); err != nil {
		t.Fatal(err)
	}
}

func TestAChangedFileIsShownAndRestartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", telling, valued(t, "old-${stream:lang}"))))
	w.announce("s1", map[string]string{"lang": "de"}, "work")
	h.awaitValues("old-de")
	h.awaitCount("start", 1) // which it notes a little later
	l.detach()
	h.run(h.options(h.shell("work", telling, valued(t, "new-${stream:lang}"))))
	w.awaitSlot("s1", "work", "is not shown as stale", func(s store.InstanceRecord) bool { return s.Stale })
	if h.values() != "old-de" || h.count("start") != 1 {
		t.Errorf("a changed file restarted it: %s", h.values())
	}
	// With the stream it changes, and to what the file says now.
	w.announce("s1", map[string]string{"lang": "en"}, "work")
	h.awaitValues("old-de new-en")
	w.awaitSlot("s1", "work", "is still shown as stale", func(s store.InstanceRecord) bool { return !s.Stale })
}

func TestASourcesChangeMayBePassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(
		h.shell("strict", telling, valued(t, "${source:url}")),
		h.shell("calm", `echo "$VALUE" >> "$NOTES/calm"; `+story, valued(t, "${source:url}", func(s *plan.Service) { s.OnSourceChange = plan.Ignore })),
	))
	w.announce("s1", nil, "strict", "calm")
	h.awaitValues("http://ingest")
	h.awaitCount("start", 2)
	a := stream.Announcement{Chain: []string{"strict", "calm"}, Source: map[string]string{"url": "http://other"}}
	if err := w.store.AddStream(context.Background(), "s1", a); err != nil {
		t.Fatal(err)
	}
	h.awaitValues("http://ingest http://other")
	w.awaitSlot("s1", "calm", "is not shown as stale", func(s store.InstanceRecord) bool { return s.Stale })
	if h.note("calm") != "http://ingest" {
		t.Errorf("calm was restarted: %s", h.note("calm"))
	}
}

func (h *host) touch(name string) {
	h.w.t.Helper()
	if err := os.WriteFile(filepath.Join(h.notes, name), nil, 0o600); err != nil {
		h.w.t.Fatal(err)
	}
}

// A child that changes what it publishes all the time is heard once a second,
// and who uses it is restarted by the restart policy: at once, then ever later.
func TestAFlappingVariableNeitherFloodsTheStoreNorRestartsWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	const changes = 60
	flapping := `i=0; while [ $i -lt 60 ]; do echo "n=$i" > "$STREAM_API_VARS.new"; mv "$STREAM_API_VARS.new" "$STREAM_API_VARS"; i=$((i+1)); sleep 0.1; done
echo "n=last" > "$STREAM_API_VARS"; while :; do sleep 0.1; done`
	h.run(h.options(h.shell("up", flapping), h.shell("down", telling, valued(t, "${up:n}", func(s *plan.Service) { s.Class.Needs = "up:n" }))))
	w.announce("s1", nil, "up", "down")
	realtest.Await(t, 90e9, "the last value never comes", func() bool { return strings.HasSuffix(h.values(), "last") })
	if n := len(strings.Fields(h.values())); n > changes/4 {
		t.Errorf("%d changes started the dependant %d times: %s", changes, n, h.values())
	}
	// Each publication that somebody uses raises the revision of that host.
	published, err := w.client.HGet(context.Background(), "host:speedy", "rev").Int()
	if err != nil {
		t.Fatal(err)
	}
	if published > changes/2 {
		t.Errorf("%d changes raised the revision to %d", changes, published)
	}
}
