package runners_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

func TestACrashedChildIsRestartedAndItsLastWordsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", `[ -e "$NOTES/log" ] || { echo "$SECRET is wrong" >&2; touch "$NOTES/log"; exit 7; }; `+story, func(s *plan.Service) {
		file := filepath.Join(h.notes, "secret")
		if err := os.WriteFile(file, []byte("hunter2hunter2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Exec.Env["SECRET"] = template(t, "${file:"+file+"}")
	})))
	w.announce("s1", nil, "work")
	s := w.awaitSlot("s1", "work", "its failure is not shown", func(s store.InstanceRecord) bool { return s.Exit != "" && s.Restarts == 1 })
	if s.Exit != "exit 7" || len(s.Stderr) != 1 || s.Stderr[0] != "*** is wrong" {
		t.Errorf("shown as %q, %q", s.Exit, s.Stderr)
	}
	h.awaitCount("start", 1)
	if text := w.everything(); strings.Contains(text, "hunter2") {
		t.Errorf("a secret is in Redis:\n%s", text)
	}
	dir, err := statedir.LogDir(h.state, "s1", "work", "")
	if err != nil {
		t.Fatal(err)
	}
	var text string
	// The log is written by a goroutine of its own, which a busy machine keeps waiting.
	realtest.Await(t, time.Minute, "the child's last words are not in the log", func() bool {
		var lines []string
		err := supervisor.ReadLog(context.Background(), dir, -1, false, func(line supervisor.LogLine) error {
			lines = append(lines, line.Text)
			return nil
		})
		text = strings.Join(lines, "\n")
		return err == nil && strings.Contains(text, "*** is wrong")
	})
	if strings.Contains(text, "hunter2") {
		t.Errorf("a secret is in the log:\n%s", text)
	}
	if got := l.Stats(); got.Starts != 1 || got.Restarts != 1 || got.LeaseAge < 0 || got.LeaseAge > ttl {
		t.Errorf("stats: %+v", got)
	}
}

func TestAFailingSlotMovesOnceAndThenStaysWithAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	a.run(a.options(a.shell("work", `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 1`)))
	w.announce("s1", nil, "work")
	s := w.awaitSlot("s1", "work", "no reason for staying is shown", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "no better host")
	})
	// Four is the threshold; a slow retry may have been told since.
	if s.Host != "a" || !regexp.MustCompile(`exit 1; failed ([4-9]|\d\d+) times here`).MatchString(s.Reason.String()) {
		t.Errorf("stays as %+v", s)
	}
	token := s.Token
	n := a.count("start")
	a.awaitCount("start", n+2) // slowly, and under the same token
	if s := w.instance("s1", "work"); s.Token != token {
		t.Errorf("retried under %s; want %s", s.Token, token)
	}
	b.run(b.options(b.shell("work", story)))
	s = w.awaitRunning("s1", "work", "b")
	if s.Avoid["a"] == 0 {
		t.Errorf("a is not avoided: %+v", s)
	}
	b.awaitCount("start", 1)
	realtest.Await(t, time.Minute, "a keeps its slot", func() bool { return w.used("a") == 0 })
}

// TestASlowRetryFloodsNoFeed: each wrote exited, failing and restarted, so that one
// bad slot pushed all else out of the feed within a day.
func TestASlowRetryFloodsNoFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.host("a")
	a.run(a.options(a.shell("work", `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 1`)))
	w.announce("s1", nil, "work")
	w.awaitSlot("s1", "work", "no reason for staying is shown", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "no better host")
	})
	const retries = 10
	a.awaitCount("start", a.count("start")+retries)
	events, err := w.store.LastEvents(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	told, last := map[string]int{}, ""
	for _, e := range events {
		told[e.Event]++
		if e.Event == "failing" {
			last = e.Reason
		}
	}
	if told["failing"] < 3 || told["failing"] > 5 || !strings.Contains(last, "it failed 7 times since") {
		t.Errorf("%d events say that it fails, the last %q; want one each time that has doubled", told["failing"], last)
	}
	if told["exited"] > 4 || told["restarted"] > 4 {
		t.Errorf("the feed tells of %v; want the slow retries told by their number alone", told)
	}
}

func TestAFailingSlotFindsRoomAmongManyClasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	// More classes than one call is asked about; only the last has a host.
	classes := make([]stream.Class, 2*store.MaxClasses+1)
	for i := range classes {
		classes[i] = stream.Class{Prefer: fmt.Sprintf("^s1$|%d", i)}
	}
	slices.SortFunc(classes, func(a, b stream.Class) int { return cmp.Compare(a.ID(), b.ID()) })
	last := len(classes) - 1
	for _, class := range classes[:last] {
		text, err := json.Marshal(class)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.client.HSet(context.Background(), "classes:work", class.ID(), text).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a.run(a.options(a.shell("work", `exit 1`, func(s *plan.Service) { s.Class.Filter = "^s1$" })))
	w.announce("s1", nil, "work")
	w.awaitSlot("s1", "work", "no reason for staying is shown", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "no better host")
	})
	b.run(b.options(b.shell("work", story, func(s *plan.Service) { s.Class = classes[last] })))
	w.awaitRunning("s1", "work", "b")
}

func TestAPinnedSlotThatFailsStaysOnItsHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	a.run(a.options(a.shell("work", `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 1`)))
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	if _, _, err := w.store.Pin(context.Background(), "s1", "work", "a", 0); err != nil {
		t.Fatal(err)
	}
	b.run(b.options(b.shell("work", story)))
	s := w.awaitSlot("s1", "work", "no reason for staying is shown", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "no better host")
	})
	n := a.count("start")
	a.awaitCount("start", n+2)
	if s.Host != "a" || b.count("start") != 0 {
		t.Errorf("it is on %s, and b started it %d times; want a and 0", s.Host, b.count("start"))
	}
}

// TestAFailingSlotGoesNowhereThatItsItemDoesNotMean: room on such a host is no better host.
func TestAFailingSlotGoesNowhereThatItsItemDoesNotMean(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]stream.Selector{
		"labels": {Labels: map[string]stream.Values{"site": {"ham"}}}, "a name": {Name: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.host("a"), w.host("b")
			o := a.options(a.shell("work", `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 1`))
			o.Labels = stream.Labels{"site": "ham"}
			a.run(o)
			w.announceItems("s1", stream.Items{"work": {Host: host}}, nil, "work")
			a.awaitCount("start", 1)
			b.run(b.options(b.shell("work", story)))
			s := w.awaitSlot("s1", "work", "no reason for staying is shown", func(s store.InstanceRecord) bool {
				return strings.Contains(s.Reason.String(), "no better host")
			})
			n := a.count("start")
			a.awaitCount("start", n+2)
			if s = w.instance("s1", "work"); s.Host != "a" || b.count("start") != 0 {
				t.Errorf("it is on %s, and b started it %d times; want a and 0", s.Host, b.count("start"))
			}
		})
	}
}

func TestASlotThatFailsOnTwoHostsDoesNotWander(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fails := `echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; exit 1`
	var hosts []*host
	for _, name := range []string{"a", "b", "c"} {
		h := w.host(name)
		o := h.options(h.shell("work", fails))
		o.Cooldown = time.Minute
		h.run(o)
		hosts = append(hosts, h)
	}
	w.announce("s1", nil, "work")
	s := w.awaitSlot("s1", "work", "does not come to rest", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "no better host") && s.Avoid["a"] != 0
	})
	if s.Host != "b" || hosts[2].count("start") != 0 {
		t.Errorf("it rests on %s, and c started it %d times; want b and 0", s.Host, hosts[2].count("start"))
	}
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	missing := filepath.Join(h.notes, "missing.sh")
	h.run(h.options(
		h.shell("absent", "", func(s *plan.Service) { s.Exec.Path = missing }),
		h.shell("valueless", story, func(s *plan.Service) { s.Exec.Env["X"] = template(t, "${stream:nothing}") }),
		h.shell("secretless", story, func(s *plan.Service) { s.Exec.EnvFile = templates(t, missing) }),
		plan.Service{Type: "leaky", StreamVars: map[string]stream.Template{"x": template(t, "${env:PATH}")}},
	))
	w.announce("s1", nil, "absent", "valueless", "secretless", "leaky")
	for slot, why := range map[string]string{
		"absent": "missing.sh", "valueless": "env X: ${stream:nothing}: no such value", "secretless": "env_file: open " + missing, "leaky": "may not be made of",
	} {
		w.awaitSlot("s1", slot, "does not say "+why, func(s store.InstanceRecord) bool { return strings.Contains(s.Reason.String(), why) })
	}
	realtest.Await(t, time.Minute, "not every failed start is kept in its queue", func() bool {
		depths, err := w.queue.Depths(context.Background())
		n := 0
		for _, d := range depths {
			n += int(d.Archived)
		}
		return err == nil && n > 0 && n == w.sent()
	})
	// What was missing is there now: it is tried again by itself.
	if err := os.WriteFile(missing, []byte("#!/bin/sh\n"+story+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.awaitCount("start", 1)
}

func TestALostStreamIsNotAskedForWithoutAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	_, s, q := w.dial(t, h.name)
	var claims atomic.Int64
	s.Observe(func(script string, _ time.Duration, _ error) {
		if script == "claim" {
			claims.Add(1)
		}
	})
	h.start(s, q, h.options(h.shell("work", story, func(s *plan.Service) {
		s.Exec.Env["FPS"] = template(t, "${stream:fps}")
	})))
	w.announce("s1", nil, "work")
	w.awaitSlot("s1", "work", "does not fail", func(s store.InstanceRecord) bool { return strings.Contains(s.Reason.String(), "cannot start") })
	forget := func() {
		if err := w.client.Del(context.Background(), "stream:s1").Err(); err != nil {
			t.Fatal(err)
		}
	}
	before := claims.Load()
	realtest.Await(t, time.Minute, "it is not claimed again", func() bool { forget(); return claims.Load() > before })
	const pauses = 8
	before, begun := claims.Load(), time.Now()
	still(t, pauses*beat/4, "", func() bool { forget(); return true })
	if n, most := claims.Load()-before, int64(time.Since(begun)/(beat/4))+2; n > most {
		t.Errorf("claimed %d times in %v; want a quarter of a beat between two", n, time.Since(begun))
	}
}

func TestEachChildHasAPlaceAndKeepsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	script := `echo "$STREAM_API_STREAM $DEVICE $INDEX" >> "$NOTES/places"; ` + story
	places := func(s *plan.Service) {
		*s.Capacity = 2
		s.Places = []map[string]string{{"device": "/dev/a"}, {"device": "/dev/b"}}
		s.Exec.Env["DEVICE"], s.Exec.Env["INDEX"] = template(t, "${place:device}"), template(t, "${place:index}")
	}
	l := h.run(h.options(h.shell("work", script, places)))
	for i, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, nil, "work")
		h.awaitCount("start", min(i+1, 2))
	}
	w.retract("s1")
	h.awaitCount("stop", 1)
	h.awaitCount("start", 3)
	l.detach()
	l = h.run(h.options(h.shell("work", script, places)))
	got := map[string]int{}
	for _, s := range l.Slots() {
		got[s.Stream] = s.Place
	}
	if len(got) != 2 || got["s2"] != 1 || got["s3"] != 0 {
		t.Errorf("places after adoption: %v", got)
	}
	if text := h.note("places"); text != "s1 /dev/a 0\ns2 /dev/b 1\ns3 /dev/a 0" {
		t.Errorf("places:\n%s", text)
	}
}

func TestAPlaceListedElsewhereIsStillTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	script := `echo "$STREAM_API_STREAM $DEVICE" >> "$NOTES/places"; ` + story
	places := func(devices ...string) func(*plan.Service) {
		return func(s *plan.Service) {
			*s.Capacity = len(devices)
			for _, device := range devices {
				s.Places = append(s.Places, map[string]string{"device": device})
			}
			s.Exec.Env["DEVICE"] = template(t, "${place:device}")
		}
	}
	l := h.run(h.options(h.shell("work", script, places("a", "b"))))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	l.detach()
	l = h.run(h.options(h.shell("work", script, places("b", "a"))))
	w.announce("s2", nil, "work")
	h.awaitCount("start", 2)
	if text := h.note("places"); text != "s1 a\ns2 b" {
		t.Errorf("places:\n%s", text)
	}
	// The device of s1 is not in the file any more, and s1 keeps it.
	l.detach()
	h.run(h.options(h.shell("work", script, places("b", "c"))))
	w.retract("s2")
	h.awaitCount("stop", 1)
	w.announce("s3", nil, "work")
	h.awaitCount("start", 3)
	if text := h.note("places"); text != "s1 a\ns2 b\ns3 b" {
		t.Errorf("places:\n%s", text)
	}
}

func TestAnAbsentPublisherIsNoFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	// The child runs as long as the publisher is there.
	script := `[ -e "$NOTES/on" ] || { echo x >> "$NOTES/fails"; exit 1; }; ` + story
	a.run(a.options(a.shell("work", script, func(s *plan.Service) {
		s.Exec.Restart.Delay, s.Exec.Restart.MaxDelay = 20*time.Millisecond, time.Minute
	})))
	if err := os.WriteFile(filepath.Join(a.notes, "on"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPoller(w, "ingest")
	p.poll("s1")
	a.awaitCount("start", 1)
	b.run(b.options(b.shell("work", story)))

	p.poll() // not listed any more
	w.awaitRecord("s1", "is not seen as away", func(r store.Record) bool { return r.Away })
	realtest.Await(t, time.Minute, "its supervisor is not told", func() bool {
		found, err := supervisor.List(filepath.Join(a.state, "s"))
		return err == nil && len(found) == 1 && found[0].State.Away
	})
	if err := os.Remove(filepath.Join(a.notes, "on")); err != nil {
		t.Fatal(err)
	}
	first := a.marks()[0]
	a.killChild(first)
	realtest.Await(t, time.Minute, "it is not tried again", func() bool {
		text, err := os.ReadFile(filepath.Join(a.notes, "fails"))
		return err == nil && len(text) >= 2*9 // far more often than give_up_after; the next pause is 5 s or more
	})
	if s := w.instance("s1", "work"); s.Host != "a" || !strings.Contains(s.Reason.String(), "counts for nothing") {
		t.Errorf("while its publisher is away: %+v", s)
	}
	if err := os.WriteFile(filepath.Join(a.notes, "on"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	p.poll("s1")
	a.awaitCount("start", 2)
	if took := time.Since(back); took > 4500*time.Millisecond { // the pause would be longer
		t.Errorf("the child is back %v after its publisher", took)
	}
	if b.count("start") != 0 {
		t.Error("it moved")
	}
}
