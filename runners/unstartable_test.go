package runners_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// dependant runs once another slot has published its url.
func (h *host) dependant(stype, on string) plan.Service {
	return h.shell(stype, story, func(s *plan.Service) {
		s.Exec.Env["URL"] = template(h.w.t, "${"+on+":url}")
		s.Class.Needs = on + ":url"
	})
}

// publishing has a service publish a url.
func publishing(t *testing.T) func(*plan.Service) {
	return func(s *plan.Service) {
		s.StreamVars = map[string]stream.Template{"url": template(t, "http://x/y")}
	}
}

func TestWhatCannotStartCountsIsShownAndStartsNobody(t *testing.T) {
	// Not beside others: thirteen slots that fail all the time leave them little.
	w := newWorld(t)
	h := w.host("speedy")
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(h.notes, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy := file("busy", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	writer, err := os.OpenFile(busy, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := func(path string) func(*plan.Service) {
		return func(s *plan.Service) { s.Exec.Path, s.Exec.Args = path, nil }
	}
	rows := []struct {
		kind   string
		change func(*plan.Service)
		want   string // in the reason
	}{
		{"crlf", path(file("crlf", "#!/bin/sh\r\nsleep 100\r\n", 0o755)), "CRLF line ends"},
		{"nox", path(file("nox", "#!/bin/sh\n", 0o644)), "is not executable"},
		{"bare", path(file("bare", "sleep 100\n", 0o755)), "without a first line"},
		{"python", path(file("python", "#!/opt/none/python3\n", 0o755)), "its interpreter /opt/none/python3 does not exist"},
		{"empty", path(file("empty", "", 0o755)), "is empty"},
		{"dir", path(h.notes), "is a directory"},
		{"gone", path("/opt/none/transcode"), "does not exist"},
		{"inpath", path("no-such-program"), "not found in PATH"},
		{"busy", path(busy), "open for writing"},
		{"pre", func(s *plan.Service) {
			s.Exec.Hooks.PreStart = plan.Commands{templates(t, "/bin/sh", "-c", "exit 3")}
		}, "exit code 3"},
		{"hook", func(s *plan.Service) { s.Exec.Hooks.PreStart = plan.Commands{templates(t, "/opt/none/hook")} }, "hook: cannot start: /opt/none/hook does not exist"},
		{"envfile", func(s *plan.Service) { s.Exec.EnvFile = templates(t, "/opt/none/env") }, "cannot start: "},
		{"static", func(s *plan.Service) {
			s.Exec = nil
			s.StreamVars["other"] = template(t, "${source:nothing}")
		}, "cannot start: "},
	}
	var services []plan.Service
	var chain []string
	for _, row := range rows {
		services = append(services, h.shell(row.kind, story, publishing(t), row.change), h.dependant("on"+row.kind, row.kind))
		chain = append(chain, row.kind, "on"+row.kind)
	}
	o := h.options(services...)
	var mu sync.Mutex
	seen := map[string]bool{}
	o.Observe = func(s runners.Started) {
		mu.Lock()
		defer mu.Unlock()
		seen[s.Type] = true
	}
	l := h.run(o)
	w.announce("s1", nil, chain...)
	for _, row := range rows {
		s := w.awaitSlot("s1", row.kind, "is not shown as failing", func(s store.InstanceRecord) bool {
			return s.Phase == stream.Failing && s.Restarts >= 3 && strings.Contains(s.Reason.String(), row.want)
		})
		if s.State != stream.Running || len(s.Vars) != 0 || s.Up {
			t.Errorf("%s: %+v", row.kind, s)
		}
		if d := w.instance("s1", "on"+row.kind); d.State != stream.Pending {
			t.Errorf("what waits for %s is %s", row.kind, d.State)
		}
	}
	if h.count("start") != 0 || l.Stats().Starts != 0 {
		t.Errorf("%d dependants started; %d starts counted", h.count("start"), l.Stats().Starts)
	}

	before := w.instance("s1", "busy")
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	s := w.awaitSlot("s1", "busy", "does not run when its file is closed", func(s store.InstanceRecord) bool { return s.Phase == stream.Runs })
	if s.Restarts < before.Restarts || s.Since <= before.Since {
		t.Errorf("healed as %+v; it was %+v", s, before)
	}
	w.awaitSlot("s1", "onbusy", "does not run", func(s store.InstanceRecord) bool { return s.State == stream.Running && s.Phase == stream.Runs })
	realtest.Await(t, time.Minute, "the first real start is not observed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen["busy"] && seen["onbusy"]
	})
	if len(seen) != 2 {
		t.Errorf("starts observed: %v", seen)
	}
}

func TestNothingIsPublishedBeforeItsChildWasStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.dependant("down", "up"), h.shell("up", story, publishing(t), func(s *plan.Service) {
		s.Exec.Hooks.Timeout = time.Minute
		s.Exec.Hooks.PreStart = plan.Commands{templates(t, "/bin/sh", "-c", escape(
			`echo early=1 > "$STREAM_API_VARS"; echo > "$NOTES/pre"; until [ -e "$NOTES/go" ]; do sleep 0.02; done; [ ! -s "$NOTES/go" ]`))}
	})))
	w.announce("s1", nil, "up", "down")
	h.note("pre")
	waits := func(when string) {
		t.Helper()
		s := w.instance("s1", "up")
		if s.State != stream.Running || s.Phase != stream.Starting || len(s.Vars) != 0 || s.Up || w.instance("s1", "down").State != stream.Pending {
			t.Errorf("%s: %+v", when, s)
		}
	}
	waits("in pre_start")
	// Another life of the runner finds it so, and says no more of it.
	l.detach()
	h.run(h.options(h.dependant("down", "up"), h.shell("up", story, publishing(t), func(s *plan.Service) {
		s.Exec.Hooks.Timeout = time.Minute
		s.Exec.Hooks.PreStart = plan.Commands{templates(t, "/bin/sh", "-c", "exit 0")}
	})))
	waits("after a restart of the runner")
	if err := os.WriteFile(filepath.Join(h.notes, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.awaitSlot("s1", "up", "does not run", func(s store.InstanceRecord) bool { return s.Phase == stream.Runs })
	w.awaitSlot("s1", "up", "its variables are not published", func(s store.InstanceRecord) bool {
		return s.Vars["url"] != "" && s.Vars["early"] == "1"
	})
	w.awaitRunning("s1", "down", "speedy")
	h.awaitCount("start", 2)
	if first := h.marks()[0].at; s.Since < first.Add(-time.Second).UnixMilli() {
		t.Errorf("it runs since %v; its child began at %v", time.UnixMilli(s.Since), first)
	}
}
