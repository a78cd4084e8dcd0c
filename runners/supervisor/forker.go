package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine"
)

// errStillborn: it was killed before it came to run its program.
var errStillborn = confine.ErrStillborn

// errClosed: nothing is started any more.
var errClosed = errors.New("the deadline has passed, nothing is started any more")

// forker starts and reaps every process below the supervisor. One goroutine does both, so that no exit is reaped before
// its process is known, and it is bound to its thread for good: PDEATHSIG goes by the thread that forked, not by the
// process.
type forker struct {
	expired  func() bool // the deadline has passed
	requests chan forkRequest
	reaped   chan struct{} // something was reaped; holds one

	mu      sync.Mutex
	live    map[int]*process
	forking bool // said before the deadline is looked at, so that a killer waits for what this start still makes
}

type forkRequest struct {
	command command
	answer  chan forked
}

type forked struct {
	process *process
	err     error
}

// command is one process to start.
type command struct {
	path   string
	argv   []string
	env    []string
	dir    string
	stdout *os.File
	stderr *os.File
	cgroup int  // directory to be born in, -1 for none
	after  bool // may start after the deadline: a post_stop hook
	limits Limits
	// passage is what it goes through to become the program; nil: it begins as the program.
	passage *confine.Passage
}

// process is a direct child of the supervisor.
type process struct {
	Process
	done   chan struct{} // closed when it is reaped
	status syscall.WaitStatus

	unheld    error // which of its limits cannot be had
	unoffered error // why it is not the first to go when memory is short
}

// ended tells whether it was reaped.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func newForker(expired func() bool) *forker {
	return &forker{expired: expired, requests: make(chan forkRequest), reaped: make(chan struct{}, 1), live: map[int]*process{}}
}

// run forks and reaps for the rest of the process's life.
func (f *forker) run() {
	runtime.LockOSThread()
	exits := make(chan os.Signal, 1)
	signal.Notify(exits, unix.SIGCHLD)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	for {
		select {
		case r := <-f.requests:
			if err != nil {
				r.answer <- forked{err: err}
				continue
			}
			p, forkErr := f.fork(r.command, null)
			r.answer <- forked{p, forkErr}
		case <-exits:
		}
		f.reap()
	}
}

// start starts c. It may take as long as the file system takes to hand over the program.
func (f *forker) start(c command) (*process, error) {
	answer := make(chan forked, 1)
	f.requests <- forkRequest{c, answer}
	got := <-answer
	return got.process, got.err
}

func (f *forker) fork(c command, null *os.File) (*process, error) {
	f.mu.Lock()
	f.forking = true
	f.mu.Unlock()
	if !c.after && f.expired() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forking = false
		return nil, errClosed
	}

	path, argv, files := c.path, c.argv, []uintptr{null.Fd(), c.stdout.Fd(), c.stderr.Fd()}
	if c.passage != nil {
		var more []*os.File
		path, argv, more = c.passage.Command(path, argv)
		for _, file := range more {
			files = append(files, file.Fd())
		}
	}
	attr := &syscall.ProcAttr{
		Dir:   c.dir,
		Env:   c.env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	if c.cgroup >= 0 {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, c.cgroup
	}
	pid, err := syscall.ForkExec(path, argv, attr)
	if err == nil && c.passage != nil {
		// As long as a fork waits for its exec; who is killed meanwhile closes the pipe. One that is no program ends by itself.
		err = c.passage.Await()
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.forking = false
	if err != nil {
		return nil, err
	}
	// Not reaped yet, so the pid is still this process's, even if it has ended.
	stat, err := readStat(pid)
	p := &process{Process: Process{PID: pid, Start: stat.start}, done: make(chan struct{})}
	f.live[pid] = p
	if err != nil {
		// Without a start time it could never be told from a later process. It is ours still, and reaped as any other.
		return nil, errors.Join(fmt.Errorf("read the start time of %s: %w", c.path, err), unix.Kill(pid, unix.SIGKILL))
	}
	if stat.unborn || c.passage != nil && stat.name == confine.Comm {
		// The deadline, or a cgroup that kills (see cgroup); ForkExec cannot tell this from success.
		return nil, errStillborn
	}
	p.unheld = c.limits.hold(pid)
	p.unoffered = offerFirst(pid)
	return p, nil
}

// reap collects everyone who has ended, adopted orphans included.
func (f *forker) reap() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG|syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := f.live[pid]; p != nil {
			delete(f.live, pid)
			p.status = status
			close(p.done)
		}
		select {
		case f.reaped <- struct{}{}:
		default:
		}
	}
}

// signalGroups sends sig to the process group of each direct child of ours that is not reaped yet. Until then its pid,
// and so its group's number, belongs to nobody else; and a group cannot fork its way out of a signal to all of it.
func (f *forker) signalGroups(sig syscall.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pid := range f.live {
		_ = unix.Kill(-pid, sig) // ESRCH, EPERM: the walk over the tree finds and reports who is left
	}
}

// empty reports that nothing lives below the supervisor. As everyone whose parent dies is handed to the supervisor,
// having no child at all, which the kernel answers in one call, means having no descendant.
func (f *forker) empty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forking {
		return false
	}
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
		if err != unix.EINTR {
			return err == unix.ECHILD
		}
	}
}
