package supervisor

import (
	"testing"
)

func done(s *Spec) { s.Done = []int{0, 3} }

func TestNothingIsStartedAfterAChildThatIsDone(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`n=$(cat $NOTES/n 2>/dev/null || echo 1); echo $((n + 1)) > $NOTES/n; [ $n = 2 ] && exit 3; exit 4`), done, func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo $STREAM_API_EXIT >> $NOTES/post"}}}
	})
	first := r.await(EventExited).Exit
	last := r.await(EventExited).Exit
	if first.Reason != ExitCode || first.Code != 4 || last.Reason != ExitDone || last.Code != 3 || last.Counted {
		t.Errorf("%+v, then %+v", first, last)
	}
	state := awaitEnd(t, r.dir)
	if state.End.Reason != EndDone || state.Attempts != 2 || state.Done() == nil || state.Done().Code != 3 {
		t.Errorf("%+v", state)
	}
	if got := r.note("post"); got != ExitCode+"\n"+ExitDone {
		t.Errorf("post_stop saw %q", got)
	}
}

func TestAChildThatIsToldToStopIsNotDone(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`trap 'exit 0' TERM; echo > $NOTES/up; while :; do sleep 0.01; done`), done)
	r.note("up")
	if end, err := r.Stop(t.Context()); err != nil || end.Reason != EndStopped {
		t.Fatalf("%+v, %v", end, err)
	}
	if state := awaitEnd(t, r.dir); state.Done() != nil || state.Exit.Code != 0 {
		t.Errorf("%+v", state.Exit)
	}
}

// A supervisor that is killed after it wrote down that its child is done, and before its own end, has said enough; one
// that is killed before has not.
func TestWhatWasDoneOutlivesAKilledSupervisor(t *testing.T) {
	t.Parallel()
	hangs := func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "[ -e $NOTES/post ] || { echo > $NOTES/post; exec sleep 1000; }"}}}
	}
	r := launch(t, shell("exit 0"), done, hangs)
	r.note("post")
	until(t, "the end of the child is saved", func() bool {
		s, err := ReadState(r.dir)
		return err == nil && s.Phase == PhaseCleaning
	})
	r.killSupervisor()
	r.must(Finish(t.Context(), r.dir))
	if s, err := ReadState(r.dir); err != nil || s.Done() == nil || s.End.Reason != EndDone {
		t.Errorf("%+v, %v", s, err)
	}
	other := launch(t, done)
	other.await(EventStarted)
	other.killSupervisor()
	other.must(Finish(t.Context(), other.dir))
	if s, err := ReadState(other.dir); err == nil && (s.Done() != nil || s.End.Reason != EndLost) {
		t.Errorf("%+v", s)
	}
}
