package supervisor

import (
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatAChildWritesIsPublished(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`
		if [ -e $NOTES/4 ]; then printf 'b=2\nc=3\n' > $STREAM_API_VARS; exec sleep 1000; fi
		step() { until [ -e $NOTES/$1 ]; do sleep 0.01; done; }
		printf 'h264_url=http://x/s1\nsize=1' > $STREAM_API_VARS
		step 1; echo 080 >> $STREAM_API_VARS
		step 2; : > $STREAM_API_VARS
		step 3; printf 'a=1\nno good\n' > $STREAM_API_VARS.new; mv $STREAM_API_VARS.new $STREAM_API_VARS
		step 4; exit 1`))
	for _, step := range []struct {
		let  string
		want map[string]string
	}{
		{"", map[string]string{"h264_url": "http://x/s1"}},
		{"1", map[string]string{"h264_url": "http://x/s1", "size": "1080"}},
	} {
		if step.let != "" {
			r.let(step.let)
		}
		if e := r.await(EventVars); !maps.Equal(e.Vars, step.want) {
			t.Errorf("published %v, wanted %v", e.Vars, step.want)
		}
	}
	// An emptied file withdraws nothing: the next set that comes is the third one.
	r.let("2")
	r.let("3")
	if e := r.await(EventVars); !maps.Equal(e.Vars, map[string]string{"a": "1"}) {
		t.Errorf("published %v", e.Vars)
	}
	if r.saw(EventWarning) == 0 {
		r.await(EventWarning, func(e Event) bool { return strings.Contains(e.Text, "line 2: not name=value") })
	}
	// The next child finds an empty file; what is published stays until it writes.
	r.let("4")
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	if e := r.await(EventVars); !maps.Equal(e.Vars, map[string]string{"b": "2", "c": "3"}) {
		t.Errorf("the second child published %v", e.Vars)
	}
}

func TestAnEmptiedFileWithdrawsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var told []map[string]string
	v, err := newVarsFile(dir, func(vars map[string]string) { told = append(told, vars) }, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, text := range []string{"a=1\n", "", "a=", "a=1\n", "b=2\n"} {
		if err := v.reset(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(v.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		v.read()
	}
	if len(told) != 2 || told[0]["a"] != "1" || len(told[1]) != 1 || told[1]["b"] != "2" {
		t.Errorf("%v", told)
	}
}

// A file that is a pipe or a way to elsewhere is not read.
func TestOnlyARegularFileIsPublished(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`echo secret=1 > $NOTES/secret
		rm $STREAM_API_VARS; ln -s $NOTES/secret $STREAM_API_VARS.x; mv $STREAM_API_VARS.x $STREAM_API_VARS
		until [ -e $NOTES/1 ]; do sleep 0.01; done
		mkfifo $STREAM_API_VARS.y; mv $STREAM_API_VARS.y $STREAM_API_VARS
		until [ -e $NOTES/2 ]; do sleep 0.01; done
		rm $STREAM_API_VARS; echo good=1 > $STREAM_API_VARS; exec sleep 1000`))
	r.await(EventWarning)
	r.let("1")
	r.await(EventWarning, func(e Event) bool { return strings.Contains(e.Text, "is a pipe") })
	r.let("2")
	if e := r.await(EventVars); !maps.Equal(e.Vars, map[string]string{"good": "1"}) {
		t.Errorf("published %v", e.Vars)
	}
}

// A kernel without a watch is asked each second.
func TestWithoutAWatchTheFileIsPolled(t *testing.T) {
	t.Parallel()
	told := make(chan map[string]string, 1)
	v, err := newVarsFile(t.TempDir(), func(vars map[string]string) { told <- vars }, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	v.close()
	v.poll = 20 * time.Millisecond
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		v.run(quit)
	}()
	if err := os.WriteFile(v.path, []byte("a=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if vars := <-told; vars["a"] != "1" {
		t.Errorf("%v", vars)
	}
	close(quit)
	<-ended
}

func TestProgressIsHeardFromEachWriter(t *testing.T) {
	t.Parallel()
	r := launch(t)
	r.await(EventStarted)
	for i, fps := range []string{"25.0", "50.0"} {
		socket, err := net.Dial("unix", filepath.Join(r.dir, fileProgress))
		r.must(err)
		_, err = socket.Write([]byte("fps=" + fps + "\nspeed=1.0x\nout_time_us=5\nprogress=continue\n"))
		r.must(err)
		want := float64(25 * (i + 1))
		until(t, "it is heard", func() bool {
			state, err := r.Status(t.Context())
			return err == nil && state.Progress != nil && state.Progress.FPS == want && state.Progress.Speed == 1 && state.Progress.OutTime == 5
		})
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
	}
	if e := r.await(EventProgress); e.Progress.Speed != 1 {
		t.Errorf("%+v", e.Progress)
	}
}

func TestProgressIsASignOfLife(t *testing.T) {
	t.Parallel()
	r := launch(t, func(s *Spec) { s.Stall = 500 * time.Millisecond })
	r.await(EventStarted)
	socket, err := net.Dial("unix", filepath.Join(r.dir, fileProgress))
	r.must(err)
	defer func() { _ = socket.Close() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for time.Since(began) < 1500*time.Millisecond {
		_, err := socket.Write([]byte("progress=continue\n"))
		r.must(err)
		<-tick.C
	}
	if state, err := r.Status(t.Context()); err != nil || state.Stalls != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	r.await(EventStalled)
}

// The real ffmpeg, twice, as a restart gives it the same URL.
func TestFfmpegReportsItsProgress(t *testing.T) {
	t.Parallel()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("STREAM_API_TEST_REQUIRE") == "1" {
			t.Fatalf("STREAM_API_TEST_REQUIRE=1: %v", err)
		}
		t.Skip("no ffmpeg here")
	}
	r := launch(t, shell(`exec `+ffmpeg+` -nostdin -v error -stats_period 0.2 -re -f lavfi -i testsrc=s=64x64:r=10 -t 2.5 -progress "$STREAM_API_PROGRESS" -f null -`))
	for range 2 {
		r.await(EventStarted)
		r.await(EventProgress, func(e Event) bool {
			p := e.Progress
			return p.Speed > 0.2 && p.FPS > 2 && p.OutTime > 200000 && p.Frame > 2
		})
		if exit := r.await(EventExited).Exit; exit.Reason != ExitCode || exit.Code != 0 {
			t.Errorf("ffmpeg ended %+v", exit)
		}
	}
}
