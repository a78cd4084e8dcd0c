package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAChildSeesItsEnvironmentAndNothingElse(t *testing.T) {
	t.Setenv("LEAK", "from the runner")
	r := launch(t, func(s *Spec) {
		s.Path, s.Args = "sh", []string{"-c", "/usr/bin/env > $NOTES/env; pwd > $NOTES/pwd; printf '%s\n' \"$@\" > $NOTES/args; exec sleep 1000", "x", "a b", "$(id)"}
		s.Env = append(s.Env, "STREAM_API_TOKEN=1-test", EnvVars+"=/elsewhere")
	})
	r.await(EventStarted)
	want := []string{
		"NOTES=" + r.notes, "PATH=" + os.Getenv("PATH"), "PWD=" + r.dir + "/work", "STREAM_API_CONFINE=hide", "STREAM_API_ENV=" + r.dir + "/env/now", "STREAM_API_ITEMS=" + r.dir + "/io/items", "STREAM_API_PROGRESS=unix:" + r.dir + "/prog",
		"STREAM_API_TOKEN=1-test", "STREAM_API_VARS=" + r.dir + "/io/vars",
	}
	if got := r.note("args"); got != "a b\n$(id)" {
		t.Errorf("arguments %q", got)
	}
	got := strings.Split(r.note("env"), "\n")
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(kv string) bool { return strings.HasPrefix(kv, "_=") }) // the shell's own, as PWD is
	if !slices.Equal(got, want) {
		t.Errorf("environment\n%q, wanted\n%q", got, want)
	}
	if r.note("pwd") != r.dir+"/work" {
		t.Errorf("working directory %s", r.note("pwd"))
	}
}

func TestAStopIsGracefulAndThenPostStopRuns(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`trap 'echo bye; exit 7' USR1; echo > $NOTES/up; while :; do sleep 0.01; done`), func(s *Spec) {
		s.Stop.Signal = "USR1"
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo $STREAM_API_EXIT > $NOTES/post"}}}
	})
	r.note("up")
	end, err := r.Stop(t.Context())
	if err != nil || end.Reason != EndStopped {
		t.Fatalf("%+v, %v", end, err)
	}
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitStopped || exit.Code != 7 || exit.Counted {
		t.Errorf("%+v", exit)
	}
	if r.note("post") != ExitStopped {
		t.Errorf("post_stop saw %s", r.note("post"))
	}
	if state := awaitEnd(t, r.dir); state.Phase != PhaseEnded || state.Child.PID != 0 || state.Dirty {
		t.Errorf("%+v", state)
	}
	spec, err := ReadSpec(r.dir)
	if err != nil || spec.Token != "1-test" || spec.Env != nil || spec.PostStop != nil {
		t.Errorf("the spec left behind: %+v, %v", spec, err)
	}
	if err := Remove(t.Context(), r.dir); err != nil {
		t.Error(err)
	}
}

// Double fork, own session, TERM ignored, files closed: gone within the grace and a second.
func TestWhatIgnoresTheStopIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	r := launch(t, role(t, "daemonise"), func(s *Spec) { s.Stop.Grace = 300 * time.Millisecond })
	daemon := r.process("daemon")
	began := time.Now()
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 300*time.Millisecond || took > 10*time.Second || daemon.alive() {
		t.Errorf("stopped after %s, the daemon lives: %v", took, daemon.alive())
	}
}

// A shell goes at once, its ffmpeg still has an index to write: the grace is the tree's.
func TestAGraceIsForTheWholeTree(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`sh -c 'trap "sleep 0.3; echo > $NOTES/written; exit" TERM; echo > $NOTES/up; while :; do sleep 0.01; done' & trap 'exit 0' TERM; wait`))
	r.note("up")
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !r.noted("written") {
		t.Error("killed before its grace was over")
	}
}

func TestAnEndKillsAtOnce(t *testing.T) {
	t.Parallel()
	r := launch(t, role(t, "daemonise"), func(s *Spec) { s.Stop.Grace = time.Minute })
	daemon := r.process("daemon")
	began := time.Now()
	end, err := r.End(t.Context())
	if err != nil || end.Reason != EndKilled || daemon.alive() || time.Since(began) > 20*time.Second {
		t.Errorf("%+v, %v, alive %v after %s", end, err, daemon.alive(), time.Since(began))
	}
}

func TestAnEndOverrulesAStopInItsGrace(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`trap 'echo > $NOTES/asked' TERM; echo > $NOTES/up; while :; do sleep 0.01; done`), func(s *Spec) { s.Stop.Grace = time.Minute })
	r.note("up")
	stop := make(chan error, 1)
	go func() {
		_, err := r.Stop(t.Context())
		stop <- err
	}()
	r.note("asked")
	if _, err := r.End(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-stop; err != nil {
		t.Error(err)
	}
}

func TestLeftoversOfACrashAreKilledBeforeTheRestart(t *testing.T) {
	t.Parallel()
	r := launch(t, role(t, "daemonise-and-exit"))
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitCode || exit.Code != 3 || !exit.Counted {
		t.Errorf("%+v", exit)
	}
	var last string
	for range 3 { // each start finds no daemon of the one before
		second := r.await(EventStarted)
		r.await(EventExited)
		if pid := r.note("daemon"); pid == last {
			t.Errorf("attempt %d made no daemon", second.Attempt)
		} else {
			last = pid
		}
	}
	if _, err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + r.note("daemon")); err == nil {
		t.Error("the last daemon is left")
	}
}

// Someone outside the tree holds the child's pipes: nobody waits for their end.
func TestALeakedPipeHoldsNothingUp(t *testing.T) {
	t.Parallel()
	r := launch(t)
	child := r.await(EventStarted)
	for _, fd := range []string{"1", "2"} {
		leak, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%s", child.PID, fd), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = leak.Close() }()
	}
	r.must(unix.Kill(child.PID, unix.SIGKILL))
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitSignal || exit.Signal != "SIGKILL" || exit.Code != -1 || !exit.Counted {
		t.Errorf("%+v", exit)
	}
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
}

func TestARestartBringsAnotherEnvironment(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`echo "$COLOUR" > $NOTES/$COLOUR; exec sleep 1000`), func(s *Spec) { s.Env = append(s.Env, "COLOUR=red") })
	r.note("red")
	next := r.Spec().Exec
	next.Env = append(next.Env, "COLOUR=blue")
	r.must(r.Restart(t.Context(), next))
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitRestart || exit.Counted || exit.Signal != "SIGTERM" {
		t.Errorf("%+v", exit)
	}
	r.note("blue")
	state, err := r.Status(t.Context())
	if err != nil || state.Restarts != 1 || state.Failures != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	until(t, "the spec is saved", func() bool {
		spec, err := ReadSpec(r.dir)
		return err == nil && spec.Token == "1-test" && slices.Contains(spec.Env, "COLOUR=blue")
	})
	next.Stop.Signal = "SEGV"
	if err := r.Restart(t.Context(), next); !errors.Is(err, ErrRequest) {
		t.Errorf("a bad change: %v", err)
	}
}

func TestARestartDuringABackoffStartsAtOnce(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("exit 1"), longDelay)
	r.await(EventExited)
	next := r.Spec().Exec
	next.Args = []string{"-c", "exec sleep 1000"}
	r.must(r.Restart(t.Context(), next))
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
}

func longDelay(s *Spec) { s.Restart.Delay, s.Restart.MaxDelay = time.Hour, time.Hour }

func TestAKickStartsAWaitingChild(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("exit 1"), longDelay)
	r.await(EventExited)
	until(t, "it waits", func() bool {
		state, err := r.Status(t.Context())
		return err == nil && state.Phase == PhasePausing && time.Until(state.Next) > 20*time.Minute
	})
	r.must(r.Kick(t.Context()))
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
}

func TestFailuresAreToldAndTheRetriesGoOn(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("exit 1"), func(s *Spec) { s.Restart.GiveUpAfter = 3 })
	if f := r.await(EventFailing); f.Failures != 3 || r.saw(EventExited) != 3 {
		t.Errorf("%d failures after %d exits", f.Failures, r.saw(EventExited))
	}
	if f := r.await(EventFailing); f.Failures != 4 {
		t.Errorf("%d failures, wanted 4", f.Failures)
	}
	r.await(EventStarted)
	if state, err := r.Status(t.Context()); err != nil || state.Failures < 4 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestWhileThePublisherIsAwayNothingCounts(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("until [ -e $NOTES/on ]; do sleep 0.01; done; exit 1"), func(s *Spec) { s.Restart.GiveUpAfter = 2 })
	r.await(EventStarted)
	r.must(r.SetAway(t.Context(), true))
	r.let("on")
	for range 4 {
		if e := r.await(EventExited); e.Exit.Counted || e.Failures != 0 {
			t.Errorf("%+v", e)
		}
	}
	r.must(r.SetAway(t.Context(), false))
	r.await(EventFailing)
	if n := r.saw(EventExited); n < 6 {
		t.Errorf("failing after %d exits, of which at least 4 do not count", n)
	}
}

func TestAPaceSlowsRetriesDown(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("until [ -e $NOTES/on ]; do sleep 0.01; done; exit 1"))
	r.await(EventStarted)
	r.must(r.SetPace(t.Context(), time.Hour))
	r.let("on")
	r.await(EventExited)
	until(t, "it waits for long", func() bool {
		state, err := r.Status(t.Context())
		return err == nil && time.Until(state.Next) > 50*time.Minute && state.Pace == time.Hour
	})
}

func TestAStallIsAFailure(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := launch(t, shell(`for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; exec sleep 1000`), func(s *Spec) { s.Stall = time.Second })
	r.await(EventStalled)
	if lived := time.Since(began); lived < 1500*time.Millisecond {
		t.Errorf("stalled after %s, though it gave signs of life for 0.6 s", lived)
	}
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitStalled || !exit.Counted || exit.Signal != "SIGTERM" {
		t.Errorf("%+v", exit)
	}
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	if state, err := r.Status(t.Context()); err != nil || state.Stalls != 1 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestPreStartRunsBeforeEachStartAndMayRefuseIt(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("echo child >> $NOTES/order; exec sleep 1000"), func(s *Spec) {
		s.PreStart = []Hook{
			{Argv: []string{"sh", "-c", "echo first >> $NOTES/order"}},
			{Argv: []string{"sh", "-c", "[ -e $NOTES/allowed ] || { : > $NOTES/allowed; echo no >&2; exit 9; }"}},
		}
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo post-$STREAM_API_EXIT >> $NOTES/order"}}}
	})
	exit := r.await(EventExited).Exit
	if exit.Reason != ExitPreStart || !strings.Contains(exit.Text, "exit code 9") || !exit.Counted || exit.Code != -1 || r.saw(EventStarted) > 0 {
		t.Errorf("%+v", exit)
	}
	r.await(EventStarted)
	until(t, "the child ran", func() bool { return strings.HasSuffix(r.note("order"), "child") })
	if got := r.note("order"); got != "first\npost-pre_start\nfirst\nchild" {
		t.Errorf("order %q", got)
	}
}

func TestAHookThatHangsIsKilledWithItsTree(t *testing.T) {
	t.Parallel()
	r := launch(t, func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "sleep 1000 & echo $! > $NOTES/sleep; wait"}, Timeout: 200 * time.Millisecond}}
	})
	r.await(EventStarted)
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := r.await(EventWarning); !strings.Contains(w.Text, "not done within 200ms") {
		t.Errorf("%q", w.Text)
	}
	if _, err := os.Stat("/proc/" + r.note("sleep")); err == nil {
		t.Error("the hook's own child is left")
	}
}

func TestAProgramThatIsNotThereIsAFailedStart(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/nonexistent/transcode.sh", "no-such-program"} {
		r := launch(t, func(s *Spec) { s.Path, s.Args = path, nil })
		exit := r.await(EventExited).Exit
		if exit.Reason != ExitStart || !strings.Contains(exit.Text, path) || !exit.Counted {
			t.Errorf("%+v", exit)
		}
		if again := r.await(EventExited); again.Attempt != 2 || !again.Exit.Stillborn() {
			t.Errorf("the second start that comes to nothing: %+v", again)
		}
	}
}

func TestATermToTheSupervisorStopsItsChild(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`trap 'echo > $NOTES/asked; exit 0' TERM; echo > $NOTES/up; while :; do sleep 0.01; done`))
	r.note("up")
	r.must(r.State().Supervisor.signal(unix.SIGTERM))
	if done := r.await(EventDone); done.End.Reason != EndSignal || !r.noted("asked") {
		t.Errorf("%+v, asked: %v", done.End, r.noted("asked"))
	}
}

func TestTheStateOnDiskTellsANewRunner(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("echo broken >&2; [ -e $NOTES/once ] && exec sleep 1000; echo > $NOTES/once; exit 4"))
	second := r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	until(t, "the state is saved", func() bool {
		s, err := ReadState(r.dir)
		return err == nil && s.Phase == PhaseRunning && s.Child.PID == second.PID && s.Restarts == 1 && s.Exit != nil && s.Exit.Code == 4 &&
			slices.Equal(s.Exit.Stderr, []string{"broken"}) && s.Deadline > Now() && s.Supervisor == r.State().Supervisor
	})
	info, err := os.Stat(filepath.Join(r.dir, fileSpec))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("spec.json has mode %v, %v", info.Mode(), err)
	}
}

func TestADirectoryTooLongForASocketIsRefused(t *testing.T) {
	t.Parallel()
	spec := testSpec("/tmp/"+strings.Repeat("x", 98), t.TempDir())
	_, err := Start(t.Context(), selfExe(t), spec, testHello)
	if err == nil || !strings.Contains(err.Error(), "1 bytes shorter") {
		t.Errorf("%v", err)
	}
	spec.Dir = spec.Dir[:102]
	if err := spec.complete(); err != nil {
		t.Errorf("102 bytes: %v", err)
	}
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	r := launch(t)
	if _, err := Start(t.Context(), selfExe(t), testSpec(r.dir, r.notes), testHello); err == nil {
		t.Error("a second supervisor was started in it")
	}
	if err := Remove(t.Context(), r.dir); !errors.Is(err, ErrLive) {
		t.Errorf("Remove: %v", err)
	}
	if err := Finish(t.Context(), r.dir); !errors.Is(err, ErrLive) {
		t.Errorf("Finish: %v", err)
	}
}

// Faster than any walk over the tree, each one in a session of its own.
func TestATreeThatKeepsForkingIsGoneAfterItsEnd(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`n=0; while [ $n -lt 400 ]; do setsid sleep 1000 & n=$((n+1)); [ $n = 50 ] && echo > $NOTES/up; done; wait`))
	r.note("up")
	end, err := r.End(t.Context())
	if err != nil || end.Reason != EndKilled {
		t.Fatalf("%+v, %v", end, err)
	}
	all, err := allProcesses()
	r.must(err)
	for _, p := range all {
		if markOf(p.pid) == varsPath(r.dir) && !p.dead() {
			t.Errorf("%+v is left", p)
		}
	}
}

func TestAnEndedSupervisorLeavesNoZombie(t *testing.T) {
	t.Parallel()
	r := launch(t)
	r.await(EventStarted)
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "it is reaped", func() bool {
		_, err := readStat(r.State().Supervisor.PID)
		return err != nil
	})
}

// 0 is a grace as any other: the tree is killed at once, however it takes the signal.
func TestAGraceOfZeroIsAKillAtOnce(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`trap "" TERM; echo > $NOTES/up; while :; do sleep 0.05; done`), func(s *Spec) { s.Stop = Stop{Signal: "TERM"} })
	r.note("up")
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await(EventDone)
	if text := r.story(); !strings.Contains(text, "not gone 0s after TERM: KILL") {
		t.Error(text)
	}
}

func TestASpecWithoutATimeThatIsNeededIsRefused(t *testing.T) {
	t.Parallel()
	dir, notes := slotDir(t)
	for what, take := range map[string]func(*Spec){
		"restart":             func(s *Spec) { s.Restart = Restart{} },
		"hook 1 has no timeo": func(s *Spec) { s.PreStart = []Hook{{Argv: []string{"true"}}} },
		"signal":              func(s *Spec) { s.Stop.Signal = "" },
	} {
		spec := testSpec(dir, notes)
		take(&spec)
		if err := spec.complete(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("without %s: %v", what, err)
		}
	}
}

func TestASupervisorThatEndsAtOnceIsShownWithItsStderr(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"echo 'fatal error: no memory' >&2; echo 'goroutine 1' >&2; exit 2": "it ended at once: fatal error: no memory; goroutine 1",
		"exit 2": "it ended at once, and wrote nothing to its stderr",
	} {
		dir := t.TempDir()
		program := filepath.Join(dir, "program")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+said+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := spawnSupervisor(t.Context(), program, dir)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
