package confine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of Landlock, by hand: the library for it binds all threads of a process. For that it brings C along, with which the race
// detector's programs now and then crash as they end; and what is bound here has one thread.

// rightsKnown is how many rights each version knows, from 0 on; later ones know no more that could be asked for here.
var rightsKnown = []int{0, 13, 14, 15, 15, 16, 16, 16, 16, 17}

func landlockVersion() (int, error) {
	return createRuleset(nil, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
}

// landlockErrata is a set of bits: what was mended in this kernel.
func landlockErrata() (int, error) { return createRuleset(nil, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA) }

func newRuleset(attr *unix.LandlockRulesetAttr) (int, error) {
	return createRuleset(unsafe.Pointer(attr), unsafe.Sizeof(*attr), 0)
}

func createRuleset(attr unsafe.Pointer, size uintptr, flags uintptr) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(attr), size, flags)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// addRule permits rights at and below what is open as parent.
func addRule(ruleset, parent int, rights uint64) error {
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(parent)}
	_, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
