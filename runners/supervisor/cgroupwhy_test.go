package supervisor

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFilterThatTakesCgroupsAwayIsNamed(t *testing.T) {
	t.Parallel()
	for errno, want := range map[unix.Errno]bool{unix.ENOSYS: true, unix.EPERM: true, unix.EINVAL: false} {
		err := canClone(func() error { return errno })
		if (err != nil) != want || want && !strings.Contains(err.Error(), "RestrictNamespaces=") {
			t.Errorf("clone3 answers %v: %v", errno, err)
		}
	}
	// Here: either a place for cgroups, or words that say why there is none.
	if base, err := findCgroup(""); (CheckCgroup() == nil) != (err == nil) {
		t.Errorf("findCgroup: %q, %v; CheckCgroup: %v", base, err, CheckCgroup())
	}
}
