package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/seclude"
)

// Command is the first argument that makes the program a supervisor; the second is the slot's directory. Programs hand
// the arguments after it to Main before they do anything else.
const Command = "supervise"

// envReady tells a new supervisor the number of a pipe to report on: "ok", or why it cannot be one.
const envReady = "STREAM_API_READY_FD"

// Main is the supervisor's process. args is the slot's directory alone. It returns the exit code: 0 when the child's
// whole life is over, 1 when it could not begin, 2 for wrong arguments.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintf(os.Stderr, "usage: %s DIR (started by the runner, not by hand)\n", Command)
		return 2
	}
	ready := readyPipe()
	var s *supervisor
	err := seclude.Process()
	if err == nil {
		s, err = newSupervisor(args[0])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "supervisor of %s: %v\n", args[0], err)
		report(ready, err.Error())
		return 1
	}
	s.begin()
	report(ready, "ok")
	s.run()
	return 0
}

func readyPipe() *os.File {
	if os.Getenv(envReady) != "3" {
		return nil
	}
	return os.NewFile(3, "ready")
}

func report(pipe *os.File, text string) {
	if pipe == nil {
		return
	}
	_, _ = pipe.WriteString(text) // if the runner is gone, the missing Go ends us
	_ = pipe.Close()
}

// supervisor holds the parts of the process together.
type supervisor struct {
	dir      string
	lock     *os.File // held until the process is gone
	guard    *guard
	forker   *forker
	tree     *tree
	journal  *journal
	saver    *saver
	vars     *varsFile
	life     *life
	server   *server
	progress interface{ Close() error }
}

func newSupervisor(dir string) (*supervisor, error) {
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) { // EPERM: leads its session already
		return nil, fmt.Errorf("leave the runner's session: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of the child's tree: %w", err)
	}
	spec, err := ReadSpec(dir)
	if err != nil {
		return nil, err
	}
	if spec.Dir != dir {
		return nil, fmt.Errorf("its spec is for %s", spec.Dir)
	}
	if err := spec.complete(); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s := &supervisor{dir: dir, lock: lock}
	if err := s.build(spec); err != nil {
		return nil, err
	}
	return s, nil
}

// build makes the parts and ties them together; none runs yet.
func (s *supervisor) build(spec Spec) error {
	me, err := self()
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	if s.guard, err = newGuard(); err != nil {
		return err
	}
	s.server = &server{guard: s.guard}
	l := &life{
		guard: s.guard, wake: make(chan struct{}, 1), born: time.Now(), spec: spec,
		emit: s.server.emit, watched: s.server.watched, settle: func() { time.AfterFunc(shrinkAfter, rest) },
		state: State{Version: SpecVersion, Phase: PhaseWaiting, BootID: boot, Supervisor: me, Since: time.Now()},
	}
	s.life, s.server.life = l, l
	s.journal = newJournal(s.dir, logMax, spec.Mask, l.warn)
	s.forker = newForker(s.guard.over)
	s.tree = &tree{forker: s.forker, warn: l.warn}
	s.saver = newSaver(s.dir, l.snapshot, l.handOver, l.warn)
	if s.vars, err = newVarsFile(s.dir, s.published, l.warn); err != nil {
		return err
	}
	l.environ = &environFile{path: environPath(s.dir)}
	l.forker, l.tree, l.journal, l.vars, l.saver = s.forker, s.tree, s.journal, s.vars, s.saver
	s.server.saver = s.saver
	base, cgErr := findCgroup("")
	if cgErr != nil {
		l.state.NoCgroup = cgErr.Error()
	} else {
		if s.tree.cgroup, err = makeCgroup(base, s.dir); err == nil {
			l.cgroup, l.state.Cgroup = s.tree.cgroup, s.tree.cgroup.path
		} else {
			s.tree.cgroup = nil
			l.state.NoCgroup = err.Error()
			s.journal.say("no cgroup in %s: %v", base, err)
		}
	}
	// Before anything can be started, so that Leftovers knows where to look if this process is killed.
	if err := s.saver.write(); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := removeSocket(filepath.Join(s.dir, fileProgress)); err != nil {
		return err
	}
	progress, err := listenProgress(s.dir)
	if err != nil {
		return err
	}
	s.progress = progress
	go serveProgress(progress, s.progressed, l.warn)
	s.server.listener, err = listen(s.dir)
	return err
}

// resting has one rest follow the other: what one has locked is not the other's to give back.
var resting sync.Mutex

// rest prepares for the long and quiet part of the life: after the first start, and again when probing is over.
func rest() {
	resting.Lock()
	defer resting.Unlock()
	_ = unix.Munlockall() // what is locked cannot be given back
	shrink()
	_ = stayResident() // CheckResident had the host say at its start why not
}

// begin starts the goroutines that serve the life.
func (s *supervisor) begin() {
	go s.forker.run()
	go s.journal.run()
	go s.saver.run()
	go s.vars.run(nil) // for the rest of the process's life
	go s.guard.watch(s.tree.endChild)
	go s.signals()
	go s.server.run()
}

// run lives the life and closes everything behind it.
func (s *supervisor) run() {
	end := s.life.run()
	s.life.change(func(st *State) { st.Phase, st.End, st.Child = PhaseEnded, &end, Process{} })
	s.life.wish(func(*wishes) { s.life.spec = s.life.spec.without() })
	s.saver.spec()
	s.saver.close(2 * time.Second)
	s.journal.close(2 * time.Second)
	s.server.emit(Event{Kind: EventDone, End: &end})
	s.server.finish(2 * time.Second)
	_ = s.progress.Close() // removes its socket
	if s.tree.cgroup != nil {
		if err := s.tree.cgroup.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func (s *supervisor) published(vars map[string]string) {
	s.life.alive()
	s.life.change(func(st *State) { st.Vars = vars })
	s.server.emit(Event{Kind: EventVars, Vars: vars})
}

func (s *supervisor) progressed(p Progress) {
	s.life.alive()
	s.life.mu.Lock()
	s.life.state.Progress = &p
	s.life.mu.Unlock()
	s.server.emit(Event{Kind: EventProgress, Progress: &p})
}

// signals takes what may be sent to the process: TERM is a stop, the rest is passed over. They are caught and not
// ignored, as what is ignored the child would ignore too.
func (s *supervisor) signals() {
	got := make(chan os.Signal, 8)
	signal.Notify(got, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
	for sig := range got {
		if sig == unix.SIGTERM {
			s.life.wishEnd(endGently, EndSignal)
		}
	}
}
