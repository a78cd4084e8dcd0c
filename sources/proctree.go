package sources

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endTree kills a command that has not been waited for yet: its process group
// at once, then whatever of its tree has left the group.
func endTree(pid int, mark string) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", pid, err)
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
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
	}
	return errors.New("the command forks faster than it can be killed")
}

// marked lists the processes with the mark in their environment. Those of
// other users cannot be read, nor could they be killed; a process that ends
// has no environment any more.
func marked(mark string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && bytes.Contains(env, []byte(mark)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
