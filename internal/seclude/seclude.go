package seclude

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Process secludes the calling process. It is called before anything else, as it speaks of what the process was started
// with; again after each exec, which undoes the second. Linux only.
//
//   - Descriptors from 3 on are closed at each exec, so that what the starter left open (a lock of its shell's, a socket)
//     ends with this process. They stay open here: one that was handed over on purpose may be used.
//   - It is not dumpable: another process of the same user may neither read its memory, its environment and its
//     descriptors nor trace it. Its stat, its cgroup and its command line can be read, and it can be signalled.
//   - Neither it nor what it starts writes core files.
func Process() error {
	return errors.Join(
		closeAtExec(3),
		wrap("make the process not dumpable", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)),
		wrap("forbid core files", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})),
	)
}

func wrap(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// closeRange is replaced by tests.
var closeRange = unix.CloseRange

// closeAtExec marks all descriptors from first on close-on-exec.
func closeAtExec(first int) error {
	err := closeRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Before Linux 5.11, or forbidden by a container's filter.
	open, listErr := os.ReadDir("/proc/self/fd")
	if listErr != nil {
		return fmt.Errorf("have descriptors closed at exec: %w", errors.Join(err, listErr))
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd) // the directory's own is gone meanwhile
		}
	}
	return nil
}
