package supervisor

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryOf is a field of /proc/PID/status, such as VmRSS, in kB.
func memoryOf(t *testing.T, pid int, field string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n := 0
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s of %d", field, pid)
	return 0
}

func TestSupervisorsStayInMemoryAndChildrenAreNotLocked(t *testing.T) {
	t.Parallel()
	if err := CheckResident(); err != nil {
		t.Skip(err)
	}
	r := launch(t, func(s *Spec) { s.Path, s.Args = "sleep", []string{"1000"} })
	child := r.await(EventStarted).PID
	state, err := ReadState(r.dir)
	r.must(err)
	// The kernel locks one mapping after the other, and a reading may come in the midst of it; what the heap maps later is
	// not locked.
	until(t, "nearly all that the supervisor maps is locked", func() bool {
		return memoryOf(t, state.Supervisor.PID, "VmLck") > memoryOf(t, state.Supervisor.PID, "VmSize")/10*9
	})
	if got := memoryOf(t, child, "VmLck"); got != 0 {
		t.Errorf("%d kB of the child are locked", got)
	}
	// Locked is what is used, not what is mapped.
	rss := memoryOf(t, state.Supervisor.PID, "VmRSS")
	t.Logf("a locked supervisor has %d kB in memory", rss)
	if mapped := memoryOf(t, state.Supervisor.PID, "VmSize"); rss > mapped/4 || rss > 100<<10 {
		t.Errorf("%d kB of %d that are mapped are in memory", rss, mapped)
	}
}

func TestATryLeavesNothingLocked(t *testing.T) {
	if err := CheckResident(); err != nil {
		t.Skip(err)
	}
	if got := memoryOf(t, unix.Getpid(), "VmLck"); got != 0 {
		t.Errorf("%d kB are locked after a try", got)
	}
}
