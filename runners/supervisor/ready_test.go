package supervisor

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// probed is a child that is ready as r says.
func probed(r Ready) func(*Spec) {
	return func(s *Spec) {
		if r.Interval == 0 {
			r.Interval = 20 * time.Millisecond
		}
		if r.Timeout == 0 {
			r.Timeout = time.Minute
		}
		s.Ready = &r
	}
}

// notReady checks that a probe failed and that nothing was said of the child.
func (r *rig) notReady(why string) {
	r.t.Helper()
	r.await(EventUnready, func(e Event) bool { return strings.Contains(e.Text, why) })
	if r.saw(EventReady) > 0 {
		r.t.Fatalf("ready before its output was there%s", r.story())
	}
}

func TestAChildIsReadyWhenItsOutputIsThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	listen := func(t *testing.T) {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				_ = c.Close()
			}
		}()
	}
	wait := `until [ -e $NOTES/go ]; do sleep 0.01; done; `
	for name, c := range map[string]struct {
		ready  Ready
		script string
		before string // why it is not ready
		happen func(*testing.T)
	}{
		"http":     {ready: Ready{HTTP: "http://" + address + "/live.m3u8"}, script: "exec sleep 1000", before: "connection refused", happen: listen},
		"tcp":      {ready: Ready{TCP: address}, script: "exec sleep 1000", before: "tcp " + address + ": connection refused", happen: listen},
		"command":  {ready: Ready{Command: []string{"test", "-e", "out"}}, script: wait + "touch out; exec sleep 1000", before: "command test: exit code 1"},
		"file":     {ready: Ready{File: "out"}, script: wait + "echo 1 > out; exec sleep 1000", before: "file out: it is not there"},
		"progress": {ready: Ready{Progress: true}, script: wait + ffmpegSays("out_time_us=40000\\nprogress=continue\\n"), before: "ffmpeg has said nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := launch(t, shell(c.script), probed(c.ready))
			r.await(EventStarted)
			r.notReady(c.before)
			if s, err := r.Status(t.Context()); err != nil || !s.Ready.IsZero() || !strings.Contains(s.Unready, c.before) {
				t.Errorf("ready %v, unready %q: %v", s.Ready, s.Unready, err)
			}
			r.let("go")
			if c.happen != nil {
				c.happen(t)
			}
			r.await(EventReady)
			if s, err := r.Status(t.Context()); err != nil || s.Ready.IsZero() || s.Unready != "" {
				t.Errorf("ready %v, unready %q: %v", s.Ready, s.Unready, err)
			}
		})
	}
}

// ffmpegSays is a script that writes to the progress socket as ffmpeg does, and stays.
func ffmpegSays(text string) string {
	return `python3 -c 'import os,socket,time
s=socket.socket(socket.AF_UNIX); s.connect(os.environ["STREAM_API_PROGRESS"][5:]); s.sendall(b"` + text + `"); time.sleep(1000)'`
}

func TestProgressWithoutOutputIsNone(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(ffmpegSays(`frame=0\nout_time_us=N/A\nprogress=continue\n`)), probed(Ready{Progress: true}))
	r.await(EventProgress)
	r.await(EventUnready)
	until(t, "the block without output was looked at", func() bool {
		s, err := r.Status(t.Context())
		return err == nil && strings.Contains(s.Unready, "written nothing yet")
	})
	if s, err := r.Status(t.Context()); err != nil || !s.Ready.IsZero() {
		t.Errorf("ready %v: %v", s.Ready, err)
	}
}

// What an earlier child left is not the output of this one, and what ended is not ready.
func TestARestartIsProbedAnew(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`echo x >> $NOTES/starts; n=$(wc -l < $NOTES/starts); until [ -e $NOTES/go$n ]; do sleep 0.01; done; echo $n > out; until [ -e $NOTES/end$n ]; do sleep 0.01; done; exit 1`),
		probed(Ready{File: "out"}))
	r.let("go1")
	r.await(EventReady)
	r.let("end1")
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	r.await(EventUnready, func(e Event) bool { return strings.Contains(e.Text, "not written since the start") })
	if s, err := r.Status(t.Context()); err != nil || !s.Ready.IsZero() || r.saw(EventReady) != 1 {
		t.Fatalf("ready %v after a restart: %v%s", s.Ready, err, r.story())
	}
	r.let("go2")
	r.await(EventReady)
}

func TestAChildThatIsNotReadyInTimeHasFailed(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("exec sleep 1000"), probed(Ready{File: "never", Timeout: 200 * time.Millisecond}))
	for attempt := range 2 {
		e := r.await(EventExited)
		if e.Exit.Reason != ExitUnready || !e.Exit.Counted || e.Exit.Text != "not ready within 200ms: file never: it is not there" || e.Exit.Ran < 200*time.Millisecond {
			t.Errorf("%+v", e.Exit)
		}
		if e.Failures != attempt+1 {
			t.Errorf("%d failures after attempt %d", e.Failures, attempt+1)
		}
	}
}

// While the publisher is away the time does not run, and an output that comes counts.
func TestThePublishersAbsenceIsNoFailure(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("exec sleep 1000"), probed(Ready{File: "out", Timeout: 400 * time.Millisecond}))
	r.must(r.SetAway(t.Context(), true))
	r.must(r.Go(t.Context(), Now()+int64(time.Minute)))
	r.await(EventStarted)
	r.await(EventUnready)
	quiet := time.NewTimer(1200 * time.Millisecond)
	defer quiet.Stop()
	for waits := true; waits; {
		select {
		case e := <-r.Events():
			if e.Kind == EventExited {
				t.Fatalf("ended while its publisher was away: %+v", e.Exit)
			}
		case <-quiet.C:
			waits = false
		}
	}
	r.must(r.SetAway(t.Context(), false))
	if e := r.await(EventExited); e.Exit.Reason != ExitUnready || !e.Exit.Counted || e.Exit.Ran < 1500*time.Millisecond {
		t.Errorf("%+v", e.Exit)
	}
	r.must(r.SetAway(t.Context(), true))
	r.await(EventStarted)
	r.must(os.WriteFile(filepath.Join(r.dir, dirWork, "out"), []byte("x"), 0o600))
	r.await(EventReady)
}

// Nobody but the supervisor probes: without a runner it goes on, and who adopts finds what came of it.
func TestProbesGoOnWithoutARunner(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`until [ -e $NOTES/go ]; do sleep 0.01; done; echo x > out; exec sleep 1000`), probed(Ready{File: "out"}))
	r.notReady("not there")
	r.must(r.Close())
	r.let("go")
	until(t, "the state says ready", func() bool {
		s, err := ReadState(r.dir)
		return err == nil && !s.Ready.IsZero()
	})
	r.adopt()
	if s := r.State(); s.Ready.IsZero() || s.Phase != PhaseRunning {
		t.Errorf("adopted with %+v", s)
	}
}

// A command that hangs, with what it started, is ended alone; and the next one is asked.
func TestAHangingProbeIsEndedAndTheChildIsNot(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("echo $$ > $NOTES/child; exec sleep 1000"), probed(Ready{
		Command: []string{"sh", "-c", `[ -e $NOTES/second ] && exit 0; touch $NOTES/second; sleep 1000 & echo $! > $NOTES/left; exec sleep 1000`},
	}))
	child, left := r.process("child"), r.process("left")
	r.notReady("not done within 5s")
	r.await(EventReady)
	if left.alive() {
		t.Error("what the probe started lives on")
	}
	if !child.alive() {
		t.Error("the child was ended with its probe")
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await(EventDone)
}

func TestAnEndDoesNotWaitForAProbe(t *testing.T) {
	t.Parallel()
	hang, err := net.Listen("tcp", "127.0.0.1:0") // takes a connection and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hang.Close() })
	for name, ready := range map[string]Ready{
		"http":    {HTTP: "http://" + hang.Addr().String()},
		"command": {Command: []string{"sh", "-c", "trap '' TERM; echo $$ > $NOTES/probe; while :; do sleep 0.1; done"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := launch(t, probed(ready), func(s *Spec) { s.Stop.Grace = 300 * time.Millisecond })
			r.await(EventStarted)
			if name == "command" {
				r.note("probe")
			}
			if _, err := r.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.await(EventDone)
			if r.saw(EventReady) > 0 {
				t.Error("ready")
			}
		})
	}
}

// A probe can be no way around what a child is kept from.
func TestProbesAreConfined(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	hide := func(s *Spec) {
		secret := filepath.Join(filepath.Dir(s.Dir), "secret")
		if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Confine.Hidden = []string{secret}
		s.Env = append(s.Env, "SECRET="+secret)
	}
	r := launch(t, hide, probed(Ready{Command: []string{"sh", "-c", `cat "$SECRET"`}}))
	r.notReady("exit code 1")
	r = launch(t, hide, shell(`ln -s "$SECRET" out; exec sleep 1000`), func(s *Spec) { probed(Ready{File: "out"})(s) })
	until(t, "the link was looked at", func() bool {
		s, err := r.Status(t.Context())
		return err == nil && strings.Contains(s.Unready, "lies where confine hides")
	})
}

func TestAReadyOfTwoKindsOrNoneIsRefused(t *testing.T) {
	t.Parallel()
	for text, r := range map[string]Ready{
		"one of":   {Interval: 1, Timeout: 1},
		"one of ":  {HTTP: "http://a/", TCP: "a:1", Interval: 1, Timeout: 1},
		"interval": {TCP: "a:1"},
		"https":    {HTTP: "https://a/", Interval: 1, Timeout: 1},
		"PORT":     {TCP: "a", Interval: 1, Timeout: 1},
		"NUL":      {File: "a\x00", Interval: 1, Timeout: 1},
	} {
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// At rest a supervisor costs the same, whether its child was probed or not.
func TestProbingCostsNothingAtRest(t *testing.T) {
	t.Parallel()
	if err := CheckResident(); err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			_ = c.Close()
		}
	}()
	resting := func(changes ...func(*Spec)) int {
		r := launch(t, changes...)
		r.await(EventStarted)
		state, err := ReadState(r.dir)
		r.must(err)
		until(t, "it is locked", func() bool { return memoryOf(t, state.Supervisor.PID, "VmLck") > 0 })
		if r.Spec().Ready != nil {
			r.await(EventReady)
		}
		// Two rests of 3 s at most, told by nothing: the least of what is seen in a while.
		least := 1 << 30
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			least = min(least, pss(t, state.Supervisor.PID))
		}
		return least
	}
	without := resting()
	with := resting(probed(Ready{HTTP: "http://" + l.Addr().String()}))
	t.Logf("at rest: %d kB PSS without a probe, %d kB with one", without, with)
	// With the race detector all is some eight times as large.
	if with > without+max(512, without/8) {
		t.Errorf("%d kB more", with-without)
	}
}

// pss is what a process takes of the memory, in kB.
func pss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	n := 0
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
