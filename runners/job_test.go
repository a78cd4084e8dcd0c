package runners_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// upload is a service of jobs.
func (h *host) upload(script string, changes ...func(*plan.Service)) plan.Service {
	return h.shell("upload", script, append([]func(*plan.Service){func(s *plan.Service) {
		s.Tries = plan.Tries{Max: 3, Delay: 50 * time.Millisecond, MaxDelay: 50 * time.Millisecond}
		s.Exec.Env["OF"] = template(h.w.t, "${of:host} ${of:reason} ${stream:key} ${of:file:-none}")
	}}, changes...)...)
}

// recording has a slot and a job that comes after it.
var recording = stream.Items{"upload": {Of: "record"}}

// recorded has a stream recorded and its recording ended.
func (w *world) recorded(h *host, key string) {
	w.t.Helper()
	w.announceItems(key, recording, nil, "record")
	realtest.Await(w.t, time.Minute, key+" is not recorded", func() bool { return w.instance(key, "record").Ran })
	w.retract(key)
}

func (h *host) noted(name string) string {
	text, err := os.ReadFile(filepath.Join(h.notes, name))
	if err != nil {
		return ""
	}
	return string(text)
}

func (h *host) awaitNoted(name, want string) {
	h.w.t.Helper()
	realtest.Await(h.w.t, time.Minute, name+" is not noted", func() bool { return strings.Contains(h.noted(name), want) })
}

func (h *host) put(name string) {
	h.w.t.Helper()
	if err := os.WriteFile(filepath.Join(h.notes, name), nil, 0o600); err != nil {
		h.w.t.Fatal(err)
	}
}

func (w *world) job(key string) store.Job {
	all, err := w.store.Jobs(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range all {
		if j.Key == key {
			return j
		}
	}
	return store.Job{}
}

func (w *world) awaitDone(key string) store.JobResult {
	w.t.Helper()
	var found store.JobResult
	realtest.Await(w.t, time.Minute, "the job of "+key+" is not done", func() bool {
		all, err := w.store.DoneJobs(context.Background(), 100)
		for _, r := range all {
			if r.Key == key {
				found = r
			}
		}
		return err == nil && found.Key != ""
	})
	return found
}

func TestAJobRunsAfterAnEndUntilItIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("a")
	l := h.run(h.options(
		h.shell("record", `echo file=take1 >> "$STREAM_API_VARS"; `+story),
		h.upload(`echo "$OF $STREAM_API_SLOT" >> $NOTES/up; [ -e $NOTES/open ] || { echo 503 >&2; exit 22; }; exit 3`, func(s *plan.Service) { s.Exec.Done = []int{3} }),
	))
	w.announceItems("s1", recording, nil, "record")
	realtest.Await(t, time.Minute, "it is not published", func() bool { return w.instance("s1", "record").Vars["file"] != "" })
	w.retract("s1")
	realtest.Await(t, time.Minute, "the job has not failed for good", func() bool { return w.job("s1").State == stream.JobFailed })
	j := w.job("s1")
	if j.Job.Tries != 3 || j.Exit != "exit 22" || len(j.Stderr) == 0 || j.Reason.Code != stream.CodeJobFailed || !strings.Contains(j.Reason.String(), "after 3 tries: exit 22") {
		t.Errorf("%d tries, %q, %q, %s", j.Job.Tries, j.Exit, j.Stderr, j.Reason)
	}
	// One try more may have begun while the host heard of the last one's end.
	if got := h.noted("up"); strings.Trim(strings.ReplaceAll(got, "a ended s1 take1 upload\n", "x"), "x") != "" || strings.Count(got, "\n") < 3 {
		t.Errorf("it ran as %q", got)
	}
	h.put("open")
	if err := w.store.RetryJob(t.Context(), "s1", j.Instance); err != nil {
		t.Fatal(err)
	}
	if r := w.awaitDone("s1"); r.Code != 3 || r.Host != "a" || r.After != "record.1" || r.Ended < r.Began {
		t.Errorf("%+v", r)
	}
	realtest.Await(t, time.Minute, "the stream stays", func() bool {
		_, err := w.store.Record(context.Background(), "s1")
		return err != nil
	})
	l.leave()
}

// What was done while no runner lived is not run again, also when the store gave the job up
// meanwhile as one of a host that is down.
func TestAJobThatIsDoneWithoutARunnerIsDone(t *testing.T) {
	t.Parallel()
	t.Run("at once", func(t *testing.T) { t.Parallel(); doneWithoutARunner(t, false) })
	t.Run("after a lapse", func(t *testing.T) { t.Parallel(); doneWithoutARunner(t, true) })
}

func doneWithoutARunner(t *testing.T, lapses bool) {
	w := newWorld(t)
	h := w.host("a")
	o := h.options(h.shell("record", story), h.upload(`echo run >> $NOTES/up; while [ ! -e $NOTES/go ]; do sleep 0.02; done`))
	l := h.run(o)
	w.recorded(h, "s1")
	h.awaitNoted("up", "run")
	l.detach()
	h.put("go")
	realtest.Await(t, time.Minute, "its supervisor has not ended", func() bool {
		found, err := os.ReadDir(filepath.Join(h.state, "s"))
		ended := 0
		for _, f := range found {
			text, _ := os.ReadFile(filepath.Join(h.state, "s", f.Name(), "state.json"))
			if strings.Contains(string(text), `"end":{"reason":"done"`) {
				ended++
			}
		}
		return err == nil && ended == 1
	})
	if lapses {
		realtest.Await(t, time.Minute, "the host does not lapse", func() bool { return w.job("s1").State == stream.Pending })
	}
	l = h.run(o)
	w.awaitDone("s1")
	if got := h.noted("up"); got != "run\n" {
		t.Errorf("it ran as %q", got)
	}
	l.leave()
}

// A store that was emptied is told of the ends that it forgot, and of what is done.
func TestAnEmptiedStoreIsToldWhichJobsThereAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("a")
	one := 1
	l := h.run(h.options(h.shell("record", story), h.upload(
		`echo $STREAM_API_STREAM >> $NOTES/up; while [ $STREAM_API_STREAM = s2 -a ! -e $NOTES/go ]; do sleep 0.02; done`,
		func(s *plan.Service) { s.Capacity = &one },
	)))
	w.recorded(h, "s1")
	w.awaitDone("s1")
	w.recorded(h, "s2")
	h.awaitNoted("up", "s2")
	w.recorded(h, "s3") // waits for room
	realtest.Await(t, time.Minute, "the third waits not", func() bool { return w.job("s3").State == stream.Pending })
	if err := w.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	realtest.Await(t, time.Minute, "nobody told what runs", func() bool { return w.job("s2").State == stream.Running })
	h.put("go")
	for _, key := range []string{"s1", "s2", "s3"} {
		w.awaitDone(key)
	}
	if got := h.noted("up"); got != "s1\ns2\ns3\n" {
		t.Errorf("they ran as %q", got)
	}
	l.leave()
}

// A line is an item once for each token, however it is written, also for a store that
// forgot it, and what comes after it that is done is not done again.
func TestEachLineOfAChildMakesItsJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("a")
	l := h.run(h.options(
		h.shell("record", `f="$STREAM_API_ITEMS"; printf 'one.ts\ntwo.ts\none.ts\n\n'$(printf %2000s x)'\n\001\nha' >> "$f"; trap 'echo last.ts >> "$f"; exit 0' TERM
while [ ! -e $NOTES/more ]; do sleep 0.02; done; printf 'three.ts\none.ts\n' > "$f.new"; mv "$f.new" "$f"; while :; do sleep 0.02; done`),
		h.upload(`echo "$ITEM" >> $NOTES/up`, func(s *plan.Service) { s.Exec.Env["ITEM"] = template(t, "${of:item}") }),
	))
	items := stream.Items{"upload": {Of: "record", Each: stream.EachItem}}
	w.announceItems("s1", items, nil, "record")
	done := func(n int) {
		t.Helper()
		realtest.Await(t, time.Minute, "not so many items are done", func() bool {
			all, err := w.store.DoneJobs(context.Background(), 100)
			return err == nil && len(all) == n && countLines(h.noted("up"), "\n") >= n
		})
	}
	done(2)
	if err := w.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	w.awaitRunning("s1", "record", "a")
	h.put("more")
	done(3)
	w.retract("s1")
	done(4)
	lines := strings.Fields(h.noted("up"))
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "last.ts one.ts three.ts two.ts" {
		t.Errorf("there were jobs for %q", got)
	}
	l.leave()
}
