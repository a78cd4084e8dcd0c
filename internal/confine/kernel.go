package confine

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Versions of Landlock, and the releases of Linux that brought them.
const (
	abiFiles    = 1 // 5.13
	abiRefer    = 2 // 5.19: files can be moved between directories
	abiTruncate = 3 // 6.2
	abiSignals  = 6 // 6.12
	abiSockets  = 9 // after 6.18: sockets in hidden directories
)

// scopeErratum is the bit of the correction without which ABI 6 kept the threads of one process from signalling each other.
const scopeErratum = 1 << 1

// Kernel is what the running kernel can do: the version of its Landlock, and if that is 0, why.
type Kernel struct {
	ABI int
	Why string
}

// Ask asks the kernel. It is replaced by tests.
var Ask = func() Kernel {
	abi, err := landlockVersion()
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return Kernel{Why: "Landlock is built into this kernel but not enabled; add landlock to lsm= of its command line"}
	case errors.Is(err, unix.ENOSYS):
		return Kernel{Why: "this kernel has no Landlock, which Linux has since 5.13"}
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return Kernel{Why: "a filter of system calls forbids Landlock; have the container's seccomp profile allow landlock_create_ruleset, landlock_add_rule and landlock_restrict_self"}
	case err != nil:
		return Kernel{Why: fmt.Sprintf("Landlock cannot be had: %v", err)}
	}
	if abi >= abiSignals {
		if errata, err := landlockErrata(); err != nil || errata&scopeErratum == 0 {
			abi = abiSignals - 1
		}
	}
	return Kernel{ABI: abi}
}

// Holds tells whether all that hide promises holds.
func (k Kernel) Holds() bool { return k.ABI >= abiSignals }

// Lacks lists what hide promises and this kernel does not hold; Tells what is to be known beside that.
func (k Kernel) Lacks() []string {
	if k.ABI < abiFiles {
		return []string{"children can read the host's files and signal any process of their user: " + k.Why}
	}
	var out []string
	if k.ABI < abiTruncate {
		out = append(out, "hidden files can be cut to nothing, though not read (Linux 6.2 prevents it)")
	}
	if k.ABI < abiSignals {
		out = append(out, "children can signal any process of their user (Linux 6.12 prevents it)")
	}
	return out
}

// Tells lists what else a program under hide meets on this kernel.
func (k Kernel) Tells() []string {
	if k.ABI == abiFiles {
		return []string{"a file cannot be moved or linked into another directory (EXDEV; mv copies it instead; Linux 5.19 allows it)"}
	}
	return nil
}

// Short is the state of hide on this kernel in a word or two, for tables.
func (k Kernel) Short() string {
	switch {
	case k.ABI < abiFiles:
		return "none"
	case !k.Holds():
		return "files"
	}
	return string(Hide)
}

// rights of Landlock that a file can be given, and of those the ones to read it.
const (
	rightsOfFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	rightsToRead = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
)

// attributes is what a ruleset of this kernel decides on.
func (k Kernel) attributes() unix.LandlockRulesetAttr {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: 1<<rightsKnown[min(k.ABI, len(rightsKnown)-1)] - 1}
	if k.ABI >= abiSignals {
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL
	}
	return attr
}
