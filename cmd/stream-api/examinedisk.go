package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"stream-api/runners/supervisor"
	"stream-api/store"
)

// Room on the disk of the state directory: a slot takes some kilobytes, and its
// log up to two megabytes.
const (
	fullDisk   = 4 << 20
	scarceDisk = 100 << 20
)

// examineDisk looks whether there is room for what a start writes down.
func examineDisk(dir string) []store.Finding {
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil {
		return []store.Finding{{Level: store.Warning, What: "the disk of " + dir + " is not looked at: " + err.Error(), Do: "run the doctor as the user that runs the host"}}
	}
	return judgeDisk(dir, at.Bavail*uint64(at.Bsize), at.Files > 0 && at.Ffree == 0)
}

// judgeDisk judges room in bytes, as it is for users without privileges.
func judgeDisk(dir string, room uint64, noInodes bool) []store.Finding {
	left := fmt.Sprintf("the disk of the state directory %s has %.1f MB left", dir, float64(room)/1e6)
	if noInodes {
		left = "the disk of the state directory " + dir + " has no inodes left"
	}
	switch {
	case noInodes, room < fullDisk:
		return []store.Finding{{Level: store.Failure, What: left + ": nothing new starts here, and what ends is not released", Do: "make room; what runs goes on meanwhile"}}
	case room < scarceDisk:
		return []store.Finding{{Level: store.Warning, What: left, Do: "make room: nothing new starts on a full disk"}}
	}
	return nil
}

// examineCgroups tells of living children without a cgroup of their own.
func examineCgroups(found []supervisor.Found) []store.Finding {
	without, why := 0, ""
	for _, f := range found {
		if f.Live && f.State.NoCgroup != "" {
			without, why = without+1, f.State.NoCgroup
		}
	}
	if without == 0 {
		return nil
	}
	return []store.Finding{{
		Level: store.Warning, What: fmt.Sprintf("%d children have no cgroup of their own: %s", without, why),
		Do: "with systemd: Delegate=yes, and neither RestrictNamespaces= nor ProtectControlGroups= in the unit; elsewhere what they leave behind is found by a walk over their trees",
	}}
}
