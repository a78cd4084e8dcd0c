package runners_test

import (
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

func TestAStreamRunsItsChainAndEndsWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	dist := plan.Service{Type: "dist", StreamVars: map[string]stream.Template{"url": template(t, "http://live.${host:site}:7999/${stream:key}")}}
	work := h.shell("transcode", `env | sort > "$NOTES/env"; echo "out=$PUSH/done" > "$STREAM_API_VARS"; `+story, func(s *plan.Service) {
		s.Class.Needs = "dist:url"
		s.Exec.Env["PUSH"] = template(t, "${dist_url}")
		s.Exec.Env["PULL"] = template(t, "${source:url}/${stream:key}?fps=${stream:fps:-25}")
		s.StreamVars = map[string]stream.Template{"h264_url": template(t, "${dist:url}_h264")}
	})
	l := h.run(h.options(dist, work))
	w.announce("a/s1", map[string]string{"lang": "de"}, "dist", "transcode")

	w.awaitRunning("a/s1", "dist", "speedy")
	s := w.awaitSlot("a/s1", "transcode", "does not publish", func(s store.InstanceRecord) bool { return s.Vars["out"] != "" })
	if s.Vars["h264_url"] != "http://live.ber:7999/a/s1_h264" || s.Vars["out"] != "http://live.ber:7999/a/s1/done" {
		t.Errorf("published: %v", s.Vars)
	}
	env := h.note("env")
	for _, want := range []string{"PULL=http://ingest/a/s1?fps=25", "STREAM_API_STREAM=a/s1", "STREAM_API_SLOT=transcode", "STREAM_API_HOST=speedy", "STREAM_API_TOKEN=" + s.Token} {
		if !strings.Contains(env, want+"\n") {
			t.Errorf("the environment has no %s:\n%s", want, env)
		}
	}
	if strings.Contains(env, "TEST") || strings.Contains(env, "GO") {
		t.Errorf("something of the daemon's environment leaks in:\n%s", env)
	}

	h.awaitCount("start", 1)
	w.retract("a/s1")
	h.awaitCount("stop", 1)
	realtest.Await(t, time.Minute, "the capacity is not free again", func() bool { return w.used("speedy") == 0 })
	realtest.Await(t, time.Minute, "the runner keeps it", func() bool { return len(l.Slots()) == 0 })
	if h.alive() != 0 {
		t.Error("the child lives on")
	}
	l.leave()
}
