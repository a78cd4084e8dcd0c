package sources

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// endTree kills a command: its process group at once, unless it was waited for
// already, when its pid may be another's, then whatever of its tree has left
// the group.
func endTree(leader *os.Process, mark string) error {
	if leader.Signal(syscall.Signal(0)) == nil {
		if err := syscall.Kill(-leader.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process group %d: %w", leader.Pid, err)
		}
	}
	return endMarked(mark)
}

// endMarked kills every process whose environment holds the mark, daemons with
// a session of their own included, until none is found; one that forks while
// it is looked for is found in the next round.
func endMarked(mark string) error {
	for range 20 {
		pids, err := marked(mark)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := killMarked(pid, mark); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
	}
	return errors.New("the command forks faster than it can be killed")
}

// killMarked kills a process if it has the mark: it is held by a pidfd before
// its mark is read, so that a pid which was given out again is never hit.
func killMarked(pid int, mark string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		return err
	}
	if err == nil {
		defer func() { _ = unix.Close(fd) }() // nothing was written to it
	}
	if !hasMark(pid, mark) {
		return unix.ESRCH
	}
	if err != nil {
		return unix.Kill(pid, unix.SIGKILL)
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}

// hasMark is false for processes of other users, whose environment cannot be
// read, nor could they be killed, and for one that ends, which has none any
// more.
func hasMark(pid int, mark string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && bytes.Contains(env, []byte(mark))
}

// marked lists the processes with the mark in their environment.
func marked(mark string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && hasMark(pid, mark) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
