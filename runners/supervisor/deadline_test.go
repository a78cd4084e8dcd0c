package supervisor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWithoutAGoNothingStarts(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("touch $NOTES/ran"), func(s *Spec) { s.GoWithin = 2 * time.Second }) // a busy machine must have connected by then
	done := r.await(EventDone)
	if done.End.Reason != EndNoGo || r.noted("ran") || r.saw(EventStarted) > 0 {
		t.Errorf("ended %v, child ran: %v", done.End, r.noted("ran"))
	}
}

func TestARunnerLostBeforeItsGoEndsTheSupervisor(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("touch $NOTES/ran"), func(s *Spec) { s.GoWithin = time.Minute })
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	state := awaitEnd(t, r.dir)
	if state.End.Reason != EndNoGo || state.Attempts != 0 || r.noted("ran") {
		t.Errorf("ended %+v after %d attempts", state.End, state.Attempts)
	}
}

// The Go was accepted, but before the child could be forked its runner was gone.
func TestTheGoOfARunnerThatIsGoneStartsNothing(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("touch $NOTES/ran"), func(s *Spec) {
		s.PreStart = []Hook{{Argv: []string{"sh", "-c", "echo > $NOTES/hook; until [ -e $NOTES/on ]; do sleep 0.01; done"}}}
	})
	r.note("hook")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	r.let("on")
	state := awaitEnd(t, r.dir)
	if state.End.Reason != EndNoGo || r.noted("ran") {
		t.Errorf("ended %+v, child ran: %v", state.End, r.noted("ran"))
	}
}

// awaitEnd waits until the supervisor of dir is gone and returns its last word.
func awaitEnd(t *testing.T, dir string) State {
	t.Helper()
	until(t, "the supervisor is gone", func() bool {
		live, err := Live(dir)
		return err == nil && !live
	})
	f, err := Inspect(dir)
	if err != nil || !f.Ended() || len(f.Leftovers) > 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	return f.State
}

func TestALapsedGoStartsNothing(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("touch $NOTES/ran"))
	if err := r.Go(t.Context(), Now()-1); !errors.Is(err, ErrLapsed) {
		t.Errorf("Go: %v", err)
	}
	if done := r.await(EventDone); done.End.Reason != EndDeadline || r.noted("ran") {
		t.Errorf("ended %+v", done.End)
	}
}

func TestADeadlineOfTheWrongClockIsRefused(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	if err := r.Go(t.Context(), time.Now().UnixNano()); !errors.Is(err, ErrDeadline) {
		t.Errorf("Go: %v", err)
	}
	if err := r.Go(t.Context(), Now()+ms(30000)); err != nil {
		t.Errorf("a Go after it: %v", err)
	}
	if err := r.Go(t.Context(), Now()+ms(30000)); !errors.Is(err, ErrGone) {
		t.Errorf("a second Go: %v", err)
	}
}

// KILL at once, daemons included, although a grace of 5 s was given; then post_stop; and no failure is counted.
func TestAtTheDeadlineTheWholeTreeIsKilled(t *testing.T) {
	t.Parallel()
	r := prepare(t, role(t, "daemonise"), func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo $STREAM_API_EXIT > $NOTES/post"}}}
	})
	deadline := Now() + ms(8000) // for the daemon to come up on a busy machine
	r.must(r.Go(t.Context(), deadline))
	child := r.await(EventStarted)
	daemon := r.process("daemon")
	if !daemon.alive() || Now() >= deadline {
		t.Fatalf("the daemon did not come up before the deadline (%v)", daemon.alive())
	}
	until(t, "the daemon is gone", func() bool { return !daemon.alive() })
	if late := time.Duration(Now() - deadline); late < 0 || late > 20*time.Second {
		t.Errorf("gone %s after the deadline", late)
	}
	exit := r.await(EventExited)
	if exit.Exit.Reason != ExitDeadline || exit.Exit.Counted || exit.Exit.Signal != "SIGKILL" {
		t.Errorf("%+v", exit.Exit)
	}
	r.await(EventDeadline)
	if done := r.await(EventDone); done.End.Reason != EndDeadline || r.saw(EventStarted) != 1 {
		t.Errorf("%+v, %d starts", done.End, r.saw(EventStarted))
	}
	if _, err := readStat(child.PID); err == nil {
		t.Error("the child is still there")
	}
	if got := r.note("post"); got != ExitDeadline {
		t.Errorf("post_stop saw %q", got)
	}
}

func TestFeedingPutsTheDeadlineOff(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.must(r.Go(t.Context(), Now()+ms(10000)))
	pid := r.await(EventStarted).PID
	last := int64(0)
	for begin := Now(); Now() < begin+ms(6000); {
		last = Now() + ms(4000)
		r.must(r.Feed(last))
		until(t, "the feed is confirmed", func() bool { return r.Fed() == last })
	}
	if _, err := readStat(pid); err != nil {
		t.Errorf("the child is gone although it was fed: %v", err)
	}
	r.await(EventDone)
	if late := time.Duration(Now() - last); late < 0 || late > 20*time.Second {
		t.Errorf("done %s after the last deadline", late)
	}
}

func TestAnEarlierDeadlineHolds(t *testing.T) {
	t.Parallel()
	r := launch(t)
	r.await(EventStarted)
	at := Now() + ms(300)
	r.must(r.Feed(at))
	if done := r.await(EventDone); done.End.Reason != EndDeadline || Now() < at || Now() > at+ms(20000) {
		t.Errorf("%+v, %s after the deadline", done.End, time.Duration(Now()-at))
	}
}

// A supervisor that stood still beyond its deadline finds a feed waiting when it goes on: too late is too late.
func TestASupervisorNeverRevives(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	deadline := Now() + ms(5000)
	r.must(r.Go(t.Context(), deadline))
	child := r.await(EventStarted)
	r.freeze()
	r.must(r.Feed(Now() + ms(30000))) // in time, but not read in time
	until(t, "the deadline has passed", func() bool { return Now() > deadline })
	r.must(r.Feed(Now() + ms(30000)))
	r.must(r.State().Supervisor.signal(unix.SIGCONT))
	if done := r.await(EventDone); done.End.Reason != EndDeadline {
		t.Errorf("%+v", done.End)
	}
	if r.Fed() != deadline {
		t.Error("a feed was confirmed after the deadline")
	}
	if _, err := readStat(child.PID); err == nil {
		t.Error("the child is still there")
	}
}

func TestAFeedAfterTheDeadlineIsRefused(t *testing.T) {
	t.Parallel()
	r := prepare(t, func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "until [ -e $NOTES/on ]; do sleep 0.01; done"}}}
	})
	r.must(r.Go(t.Context(), Now()+ms(200)))
	r.await(EventDeadline)
	if _, err := r.ask(t.Context(), request{Op: opFeed, Deadline: Now() + ms(30000)}); !errors.Is(err, ErrLapsed) {
		t.Errorf("feed: %v", err)
	}
	if err := r.Go(t.Context(), Now()+ms(30000)); err == nil {
		t.Error("a Go after the deadline was taken")
	}
	if err := r.Restart(t.Context(), r.Spec().Exec); !errors.Is(err, ErrEnding) {
		t.Errorf("restart: %v", err)
	}
	r.let("on")
	if done := r.await(EventDone); done.End.Reason != EndDeadline {
		t.Errorf("%+v", done.End)
	}
}

// The deadline comes while post_stop still runs after a crash: the hook is left to finish, and nothing starts again.
func TestADeadlineDuringPostStopStartsNothingAgain(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("exit 1"), func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo x >> $NOTES/runs; until [ -e $NOTES/on ]; do sleep 0.01; done; echo > $NOTES/finished"}}}
	})
	deadline := Now() + ms(5000)
	r.must(r.Go(t.Context(), deadline))
	r.await(EventExited)
	until(t, "the deadline has passed", func() bool { return Now() > deadline+ms(100) })
	r.let("on")
	if done := r.await(EventDone); done.End.Reason != EndDeadline || r.saw(EventStarted) != 1 {
		t.Errorf("%+v, %d starts", done.End, r.saw(EventStarted))
	}
	if !r.noted("finished") || r.note("runs") != "x" {
		t.Errorf("post_stop ran %q, to its end: %v", r.note("runs"), r.noted("finished"))
	}
}

func TestADeadlineDuringABackoffStartsNothingAgain(t *testing.T) {
	t.Parallel()
	r := prepare(t, shell("exit 1"), longDelay)
	deadline := Now() + ms(5000)
	r.must(r.Go(t.Context(), deadline))
	if done := r.await(EventDone); done.End.Reason != EndDeadline || r.saw(EventStarted) != 1 || Now() < deadline {
		t.Errorf("%+v, %d starts", done.End, r.saw(EventStarted))
	}
}

// freeRunner starts a runner that feeds its child with the given trust.
func freeRunner(t *testing.T, trust time.Duration) (cmd *exec.Cmd, dir, notes string) {
	t.Helper()
	dir, notes = slotDir(t)
	cmd = exec.Command(selfExe(t))
	cmd.Env = []string{"TEST_MAIN=runner", "SLOT=" + dir, "NOTES=" + notes, "TRUST=" + trust.String(), "PATH=" + os.Getenv("PATH")}
	var out strings.Builder
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed; what counts is what it said
		if out.Len() > 0 {
			t.Logf("runner: %s", out.String())
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if c, err := Adopt(ctx, dir, testHello); err == nil {
			_, _ = c.End(ctx)
			_ = c.Close()
		}
		until(t, "the supervisor is gone", func() bool {
			live, err := Live(dir)
			return err == nil && !live
		})
	})
	return cmd, dir, notes
}

func TestAFrozenRunnersChildEndsByItsDeadline(t *testing.T) {
	t.Parallel()
	trust := 1200 * time.Millisecond
	runner, dir, notes := freeRunner(t, trust)
	child := processOf(t, awaitNote(t, notes+"/child"))
	if err := runner.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := Now()
	until(t, "the child is gone", func() bool { return !child.alive() })
	if after := time.Duration(Now() - frozen); after > trust+700*time.Millisecond || after < trust/4 {
		t.Errorf("the child lived %s after its runner froze, trust is %s", after, trust)
	}
	if state := awaitEnd(t, dir); state.End.Reason != EndDeadline || state.Failures != 0 {
		t.Errorf("%+v", state)
	}
	if err := runner.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

func TestAKilledRunnersChildIsAdoptedWithoutAGap(t *testing.T) {
	t.Parallel()
	runner, dir, notes := freeRunner(t, 10*time.Second)
	child := processOf(t, awaitNote(t, notes+"/child"))
	if err := runner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := runner.Wait(); err == nil {
		t.Fatal("the runner was not killed")
	}
	f, err := Inspect(dir)
	if err != nil || !f.Live || f.Spec.Token != "7-runner" {
		t.Fatalf("%+v, %v", f, err)
	}
	c, err := Adopt(t.Context(), dir, testHello)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	var state State
	until(t, "the start is entered", func() bool {
		state, err = c.Status(t.Context())
		return err != nil || state.Phase == PhaseRunning
	})
	if err != nil || c.Spec().Token != "7-runner" || state.Phase != PhaseRunning || state.Child != child || state.Attempts != 1 || !child.alive() {
		t.Errorf("adopted %+v, the child is %+v", state, child)
	}
	if left := time.Duration(state.Deadline - Now()); left <= 0 || left > 10*time.Second {
		t.Errorf("its deadline is in %s", left)
	}
	deadline := Now() + ms(20000)
	if err := c.Feed(deadline); err != nil {
		t.Error(err)
	}
	until(t, "the feed is confirmed", func() bool { return c.Fed() == deadline })
	end, err := c.Stop(t.Context())
	if err != nil || end.Reason != EndStopped || child.alive() {
		t.Errorf("%+v, %v, alive: %v", end, err, child.alive())
	}
}
