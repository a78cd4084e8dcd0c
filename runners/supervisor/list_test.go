package supervisor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killSupervisor ends the supervisor itself by KILL, so that nothing of it can act any more.
func (r *rig) killSupervisor() {
	r.t.Helper()
	r.must(r.State().Supervisor.signal(unix.SIGKILL))
	<-r.Done()
	if !errors.Is(r.Err(), ErrLost) {
		r.t.Errorf("the connection ended with %v", r.Err())
	}
	until(r.t, "the lock is free", func() bool {
		live, err := Live(r.dir)
		return err == nil && !live
	})
}

// Its direct child dies with it, whatever thread forked it.
func TestAChildDiesWithItsSupervisor(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("trap '' TERM HUP; echo > $NOTES/up; while :; do sleep 0.01; done"))
	r.note("up")
	child, err := readStat(r.await(EventStarted).PID)
	r.must(err)
	r.killSupervisor()
	until(t, "the child is gone", func() bool { return !child.id().alive() })
}

// What a killed supervisor leaves is found by its cgroup or by its environment, and ended; then post_stop runs.
func TestWhatAKilledSupervisorLeavesIsFinished(t *testing.T) {
	t.Parallel()
	r := launch(t, role(t, "daemonise"), func(s *Spec) {
		s.Env = append(s.Env, "KEEP_MARK=1")
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo $STREAM_API_EXIT > $NOTES/post"}}}
	})
	daemon := r.process("daemon")
	until(t, "the start is saved", func() bool {
		s, err := ReadState(r.dir)
		return err == nil && s.Phase == PhaseRunning
	})
	r.killSupervisor()
	if !daemon.alive() {
		t.Fatal("the daemon is not left, there is nothing to test")
	}
	all, err := List(filepath.Dir(r.dir))
	r.must(err)
	i := slices.IndexFunc(all, func(f Found) bool { return f.Dir == r.dir })
	if i < 0 || all[i].Live || all[i].Ended() || all[i].Spec.Token != "1-test" || all[i].State.Attempts != 1 || !slices.Contains(all[i].Leftovers, daemon) {
		t.Fatalf("%+v, looking for %+v", all, daemon)
	}
	if err := Remove(t.Context(), r.dir); err == nil {
		t.Fatal("removed while something of it runs")
	}
	if err := Finish(t.Context(), r.dir); err != nil {
		t.Fatal(err)
	}
	if daemon.alive() || r.note("post") != EndLost {
		t.Errorf("the daemon lives: %v, post_stop saw %q", daemon.alive(), r.note("post"))
	}
	f, err := Inspect(r.dir)
	if err != nil || !f.Ended() || f.State.End.Reason != EndLost || len(f.Leftovers) > 0 || f.Spec.Env != nil {
		t.Errorf("%+v, %v", f, err)
	}
	if f.State.Cgroup != "" {
		if _, err := os.Stat(f.State.Cgroup); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its cgroup is left: %v", err)
		}
	}
	if err := Finish(t.Context(), r.dir); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := Remove(t.Context(), r.dir); err != nil {
		t.Error(err)
	}
}

// The pids in a stale state belong to others by now: nobody is touched.
func TestAPidGivenOutAgainIsNoLeftover(t *testing.T) {
	t.Parallel()
	dir, notes := slotDir(t)
	innocent := exec.Command("sleep", "1000")
	innocent.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := innocent.Process.Kill(); err != nil {
			t.Errorf("it was killed: %v", err)
		}
		_ = innocent.Wait() // killed a line above
	}()
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	spec := testSpec(dir, notes)
	if err := spec.complete(); err != nil {
		t.Fatal(err)
	}
	if err := makeDir(spec); err != nil {
		t.Fatal(err)
	}
	real, err := readStat(innocent.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []State{
		{BootID: boot, Last: Process{PID: real.pid, Start: real.start - 1}, Child: Process{PID: real.pid, Start: real.start - 1}},
		{BootID: "of another boot", Last: real.id(), Child: real.id()},
	} {
		state.Version, state.Phase = SpecVersion, PhaseRunning
		if err := writeJSON(filepath.Join(dir, fileState), state); err != nil {
			t.Fatal(err)
		}
		f, err := Inspect(dir)
		if err != nil || len(f.Leftovers) != 0 {
			t.Errorf("%+v, %v", f.Leftovers, err)
		}
		if err := KillLeftovers(t.Context(), dir); err != nil {
			t.Error(err)
		}
	}
	if !real.id().alive() {
		t.Fatal("an innocent process was killed")
	}
	// The same, were it really the child: found.
	state := State{Version: SpecVersion, Phase: PhaseRunning, BootID: boot, Last: real.id()}
	if err := writeJSON(filepath.Join(dir, fileState), state); err != nil {
		t.Fatal(err)
	}
	if f, err := Inspect(dir); err != nil || !slices.Equal(f.Leftovers, []Process{real.id()}) {
		t.Errorf("%+v, %v", f.Leftovers, err)
	}
}

func TestADirectoryWithoutASupervisorIsListedAsWhatItIs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if found, err := List(filepath.Join(root, "missing")); err != nil || found != nil {
		t.Errorf("%v, %v", found, err)
	}
	dir := filepath.Join(root, "half-made")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	found, err := List(root)
	if err != nil || len(found) != 1 || found[0].Live || found[0].Ended() || !errors.Is(found[0].StateErr, os.ErrNotExist) || found[0].SpecErr == nil {
		t.Fatalf("%+v, %v", found, err)
	}
	if err := Finish(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if err := Remove(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

// A supervisor that is stopped does not answer; that is told, and within the time given.
func TestAdoptingASupervisorThatStandsStillTimesOut(t *testing.T) {
	t.Parallel()
	r := launch(t)
	r.await(EventStarted)
	r.freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Adopt(ctx, r.dir, testHello); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	f, err := Inspect(r.dir)
	if err != nil || !f.Live {
		t.Errorf("%+v, %v", f, err)
	}
	r.must(r.State().Supervisor.signal(unix.SIGCONT))
}

func TestAStartThatCannotBeLeavesNoProcess(t *testing.T) {
	t.Parallel()
	dir, notes := slotDir(t)
	if _, err := Start(t.Context(), "/bin/true", testSpec(dir, notes), testHello); err == nil {
		t.Fatal("/bin/true is a supervisor")
	}
	if err := Remove(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, selfExe(t), testSpec(dir, notes), testHello); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if f, err := Inspect(dir); err != nil || f.Live {
		t.Errorf("%+v, %v", f, err)
	}
}

// One write ends the tree where a cgroup may be made, and the next child can live in it again.
func TestATreeInACgroupIsBornThereEachTime(t *testing.T) {
	t.Parallel()
	if base, err := findCgroup(""); err != nil {
		t.Skipf("no cgroup here (%s): %v", base, err)
	}
	r := launch(t, role(t, "daemonise"))
	for attempt := range 3 {
		started := r.await(EventStarted)
		daemon := r.process("daemon")
		state, err := r.Status(t.Context())
		r.must(err)
		members := cgroupMembers(state.Cgroup)
		if !members[started.PID] || !members[daemon.PID] || members[state.Supervisor.PID] {
			t.Errorf("attempt %d: child %d and daemon %d are to be in %s: %v", attempt+1, started.PID, daemon.PID, state.Cgroup, members)
		}
		r.must(os.Remove(filepath.Join(r.notes, "daemon")))
		r.must(unix.Kill(started.PID, unix.SIGKILL))
		r.await(EventExited)
		if daemon.alive() {
			t.Error("the daemon outlived its tree")
		}
	}
	path := r.State().Cgroup
	if _, err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the cgroup is removed", func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	})
}

// Where a cgroup kills at birth what is born in it, the child is started without it, at once and not as a failure.
func TestACgroupThatKillsAtBirthIsLeft(t *testing.T) {
	t.Parallel()
	if base, err := findCgroup(""); err != nil {
		t.Skipf("no cgroup here (%s): %v", base, err)
	}
	r := prepare(t, func(s *Spec) { s.PreStart = []Hook{{Argv: []string{"true"}}} })
	r.must(killCgroup(filepath.Join(r.State().Cgroup, "1")))
	r.must(r.Go(t.Context(), Now()+ms(30000)))
	started := r.await(EventStarted)
	if started.Attempt != 1 || r.saw(EventExited) > 0 {
		t.Errorf("%+v", started)
	}
	if r.saw(EventWarning) == 0 {
		t.Log("this kernel lets live what is born in a killed cgroup")
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A host that comes back with many slots and none of their processes looks through the machine's once. Not parallel: it
// counts.
func TestManyThatAreGoneAreLookedForTogether(t *testing.T) {
	root := t.TempDir()
	before := processes.taken.Load()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if err := Finish(t.Context(), filepath.Join(root, strconv.Itoa(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if walks := processes.taken.Load() - before; walks > 10 {
		t.Errorf("%d walks over all processes for 200 slots", walks)
	}
}

// What a boot left, no later one can hold: nothing is looked for.
func TestASlotOfAnEarlierBootIsNotLookedFor(t *testing.T) {
	dir, notes := slotDir(t)
	spec := testSpec(dir, notes)
	if err := errors.Join(spec.complete(), makeDir(spec), writeJSON(filepath.Join(dir, fileState), State{Version: SpecVersion, Phase: PhaseRunning, BootID: "an earlier one", Dirty: true})); err != nil {
		t.Fatal(err)
	}
	before := processes.taken.Load()
	if err := Finish(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if f, err := Inspect(dir); err != nil || !f.Ended() || processes.taken.Load() != before {
		t.Errorf("%+v, %v, %d walks", f, err, processes.taken.Load()-before)
	}
}

// A lock or a state that something else lies on, or nobody, makes no living supervisor a dead one.
func TestALivingSupervisorIsNotTakenForDead(t *testing.T) {
	t.Parallel()
	for _, lost := range [][]string{{fileLock}, {fileLock, fileState}, {fileState}} {
		r := launch(t)
		child, err := readStat(r.await(EventStarted).PID)
		r.must(err)
		for _, name := range lost {
			path := filepath.Join(r.dir, name)
			r.must(errors.Join(unix.Mkfifo(path+".x", 0o600), os.Rename(path+".x", path)))
		}
		live, err := Live(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		if both := len(lost) == 2; !live && !both {
			t.Errorf("without %v it is taken for dead", lost)
		}
		if live {
			continue
		}
		// Nothing tells of it any more but its own process, which is ended with all it keeps.
		err = KillLeftovers(t.Context(), r.dir)
		if errors.Is(err, ErrLive) {
			continue // it has just saved its state anew
		}
		r.must(err)
		if child.id().alive() || r.State().Supervisor.alive() {
			t.Errorf("without %v: child alive %v, supervisor alive %v", lost, child.id().alive(), r.State().Supervisor.alive())
		}
		r.must(os.Remove(filepath.Join(r.dir, fileState))) // or nobody could say how it ended
	}
}
