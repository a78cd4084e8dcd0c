package supervisor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// CheckCgroup says why the children of supervisors that this process starts will have no cgroup of their own; nil: they
// will. Without one a daemon that a child left behind is found by a walk over the tree alone.
func CheckCgroup() error {
	base, err := findCgroup("")
	if err != nil {
		return err
	}
	c, err := makeCgroup(base, fmt.Sprintf("a try of %d", unix.Getpid()))
	if err != nil {
		return fmt.Errorf("none can be made in %s: %w", base, err)
	}
	if err := c.remove(); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return canClone(func() error {
		// Of no size, so that nothing is started: EINVAL where the call is there.
		_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
		return errno
	})
}

// canClone tells whether a filter of system calls takes clone3 away, without which nothing is born in a cgroup.
func canClone(clone3 func() error) error {
	if err := clone3(); errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("clone3 is refused (%w): RestrictNamespaces= of the unit, or a container's filter", err)
	}
	return nil
}
