package runners_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// ready makes a service ready when its child's working directory has a file out.
func ready(s *plan.Service) {
	file, err := stream.ParseTemplate("out")
	if err != nil {
		panic(err)
	}
	s.Exec.Ready = &plan.Ready{File: file, Interval: 50 * time.Millisecond, Timeout: time.Minute}
}

// let creates a file that a child waits for.
func (h *host) let(name string) {
	h.w.t.Helper()
	if err := os.WriteFile(filepath.Join(h.notes, name), nil, 0o600); err != nil {
		h.w.t.Fatal(err)
	}
}

// says publishes at once, and has its output when the test lets it.
const says = `echo "url=http://x/$STREAM_API_STREAM" > "$STREAM_API_VARS"; echo start >> "$NOTES/starts"; n=$(wc -l < "$NOTES/starts")
until [ -e "$NOTES/go$n" ]; do sleep 0.02; done; echo "$n" > out; until [ -e "$NOTES/end$n" ]; do sleep 0.02; done; exit 3`

// Nothing goes out before the output is there: neither variables nor the word that
// it is up; and who waits is told why. A restart is probed anew, and what was
// published stays meanwhile.
func TestNothingGoesOutBeforeTheOutputIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("hls", says, ready)))
	w.announce("s1", nil, "hls")
	unready := func(s store.InstanceRecord) bool {
		return s.State == stream.Running && s.Phase == stream.Unready && s.Reason.Code == stream.CodeUnready
	}
	s := w.awaitSlot("s1", "hls", "is not unready", unready)
	if len(s.Vars) > 0 || s.Up || !strings.Contains(s.Reason.String(), "file out: it is not there") || !strings.Contains(s.Reason.String(), "1m0s") {
		t.Errorf("before its output is there: %+v, %s", s, s.Reason)
	}
	h.let("go1")
	s = w.awaitSlot("s1", "hls", "does not publish", func(s store.InstanceRecord) bool { return s.Vars["url"] != "" })
	if s.Phase != stream.Runs || !s.Up || !s.Reason.IsZero() {
		t.Errorf("published before it was up: %+v", s)
	}
	h.let("end1")
	s = w.awaitSlot("s1", "hls", "is not unready again", unready)
	if s.Up || s.Vars["url"] == "" || s.Reason.Cause().Code != stream.CodeExited || !strings.Contains(s.Reason.String(), "not written since the start") {
		t.Errorf("after a restart: %+v, %s", s, s.Reason)
	}
	h.let("go2")
	s = w.awaitSlot("s1", "hls", "is not up again", func(s store.InstanceRecord) bool { return s.Phase == stream.Runs && s.Up })
	if s.Reason.Code != stream.CodeExited {
		t.Errorf("the word on its last end is gone: %s", s.Reason)
	}
	w.retract("s1")
	l.leave()
}

// A life that comes later finds out how far the child has come, also what happened
// while there was none.
func TestAnotherLifeTakesOverWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("hls", says, ready)))
	w.announce("s1", nil, "hls")
	unready := func(s store.InstanceRecord) bool {
		return s.Phase == stream.Unready && s.Reason.Code == stream.CodeUnready
	}
	w.awaitSlot("s1", "hls", "is not unready", unready)
	l.detach()
	l = h.run(h.options(h.shell("hls", says, ready)))
	if s := w.awaitSlot("s1", "hls", "is not unready", unready); s.Up || len(s.Vars) > 0 {
		t.Errorf("%+v", s)
	}
	l.detach()
	h.let("go1")
	l = h.run(h.options(h.shell("hls", says, ready)))
	s := w.awaitSlot("s1", "hls", "is not up", func(s store.InstanceRecord) bool { return s.Up && s.Vars["url"] != "" })
	if s.Phase != stream.Runs || !s.Reason.IsZero() || s.Restarts != 0 {
		t.Errorf("%+v, %s", s, s.Reason)
	}
	w.retract("s1")
	l.leave()
}
