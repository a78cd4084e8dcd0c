package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// forkNoExec is PF_FORKNOEXEC of linux/sched.h, a bit of field 9 of /proc/PID/stat.
const forkNoExec = 0x40

// procStat is what this package needs of /proc/PID/stat.
type procStat struct {
	pid     int
	name    string
	state   byte
	ppid    int
	group   int
	session int
	start   uint64
	unborn  bool // forked, but has run no program of its own
}

func (s procStat) id() Process { return Process{PID: s.pid, Start: s.start} }

// dead reports a process that runs nothing any more and waits for its parent.
func (s procStat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// parseStat reads one /proc/PID/stat. The name in it is the process's own choice, and may hold blanks and brackets.
func parseStat(text []byte) (procStat, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return procStat{}, errors.New("no process name in it")
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text[:open])))
	if err != nil {
		return procStat{}, err
	}
	// From field 3 on: state ppid pgrp session … starttime, which is field 22.
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 20 || len(fields[0]) != 1 {
		return procStat{}, fmt.Errorf("%d fields after the name", len(fields))
	}
	s := procStat{pid: pid, name: string(text[open+1 : end]), state: fields[0][0]}
	if s.state < 'A' || s.state > 'z' {
		return procStat{}, fmt.Errorf("state %q is no letter", s.state)
	}
	for _, f := range []struct {
		into *int
		at   int
	}{{&s.ppid, 1}, {&s.group, 2}, {&s.session, 3}} {
		if *f.into, err = strconv.Atoi(string(fields[f.at])); err != nil {
			return procStat{}, err
		}
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	if err != nil {
		return procStat{}, err
	}
	s.unborn = flags&forkNoExec != 0
	if s.start, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return procStat{}, err
	}
	return s, nil
}

// readStat reads the stat of pid. A process that is gone gives fs.ErrNotExist or ESRCH.
func readStat(pid int) (procStat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	text, err := os.ReadFile(path)
	if err != nil {
		return procStat{}, err
	}
	s, err := parseStat(text)
	if err != nil {
		return procStat{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// self names the calling process.
func self() (Process, error) {
	s, err := readStat(os.Getpid())
	return s.id(), err
}

// alive reports whether this very process still runs.
func (p Process) alive() bool {
	if p.PID <= 0 {
		return false
	}
	s, err := readStat(p.PID)
	return err == nil && s.start == p.Start && !s.dead()
}

// signal sends sig to this very process, or gives ESRCH: the process is held by a pidfd before its start time is
// compared, so that a pid which was given out again is never hit.
func (p Process) signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		return err
	}
	if err == nil {
		defer func() { _ = unix.Close(fd) }() // nothing was written to it
	}
	if s, statErr := readStat(p.PID); statErr != nil || s.start != p.Start {
		return unix.ESRCH
	}
	if err != nil {
		return unix.Kill(p.PID, sig)
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// allProcesses lists every process there is. One that comes or goes meanwhile may be missing.
func allProcesses() ([]procStat, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // read only
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			all = append(all, s)
		}
	}
	return all, nil
}

// descendants lists the processes below root, root excluded, the dead ones included.
func descendants(root int) ([]procStat, error) {
	if found, err := walkChildren(root); err == nil {
		return found, nil
	}
	all, err := allProcesses()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return below(root, all), nil
}

// below picks the descendants of root out of all.
func below(root int, all []procStat) []procStat {
	children := make(map[int][]procStat, len(all))
	for _, s := range all {
		children[s.ppid] = append(children[s.ppid], s)
	}
	var found []procStat
	seen := map[int]bool{root: true}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, c := range children[queue[0]] {
			if !seen[c.pid] { // the list is no snapshot: a pid given out again could close a ring
				seen[c.pid] = true
				found = append(found, c)
				queue = append(queue, c.pid)
			}
		}
	}
	return found
}

// walkChildren does the same by /proc/PID/task/TID/children, which costs as much as the tree is large and not as much as
// the machine is busy. Kernels without CONFIG_PROC_CHILDREN give an error.
func walkChildren(root int) ([]procStat, error) {
	var found []procStat
	seen := map[int]bool{root: true}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		pids, err := childrenOf(queue[0])
		if err != nil {
			if queue[0] == root {
				return nil, err
			}
			continue // gone meanwhile; its children are found below another parent the next time
		}
		for _, pid := range pids {
			s, err := readStat(pid)
			if err != nil || seen[pid] {
				continue
			}
			seen[pid] = true
			found = append(found, s)
			queue = append(queue, pid)
		}
	}
	return found, nil
}

func childrenOf(pid int) ([]int, error) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil, err
	}
	var pids []int
	err = os.ErrNotExist
	for _, t := range threads {
		text, readErr := os.ReadFile(tasks + "/" + t.Name() + "/children")
		if readErr != nil {
			continue // a thread that ended
		}
		err = nil
		for _, f := range bytes.Fields(text) {
			n, convErr := strconv.Atoi(string(f))
			if convErr != nil {
				return nil, convErr
			}
			pids = append(pids, n)
		}
	}
	return pids, err
}
