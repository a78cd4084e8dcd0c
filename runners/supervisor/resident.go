package supervisor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// stayResident keeps the pages that this process uses in memory, its program's too: when memory is short the kernel throws
// program pages out first, and a deadline that must wait for its code to be read again comes late. Only what is touched from
// now on counts (MCL_ONFAULT), so that what shrink gave back stays given back. What is mapped later, when the heap grows, is
// not locked. Locks are not inherited: children have none.
func stayResident() error {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_ONFAULT); err != nil {
		// ENOMEM is RLIMIT_MEMLOCK, held against all that is mapped, not only what is used.
		return fmt.Errorf("mlockall: %w (LimitMEMLOCK=infinity of the unit, or CAP_IPC_LOCK, lets it)", err)
	}
	return nil
}

// CheckResident says why supervisors that this process starts cannot stay in memory; nil: they do.
func CheckResident() error {
	if err := stayResident(); err != nil {
		return err
	}
	return unix.Munlockall()
}
