package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestAKillForWantOfMemoryIsSaid(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events := func(dir string, n int) {
		write(filepath.Join("cg", dir, "memory.events"), "low 0\nhigh 0\nmax 3\noom 1\noom_kill "+strconv.Itoa(n)+"\noom_group_kill 0\n")
	}
	write("proc/self/cgroup", "0::/system.slice/unit/sup\n")
	write("proc/self/mountinfo", "36 35 0:30 / /cg rw - cgroup2 cgroup2 rw\n")
	leaf := filepath.Join(root, "cg/system.slice/unit/sup/leaf")
	killed := Exit{Reason: ExitSignal, Signal: "SIGKILL"}
	says := func(w oomWatch, e Exit, want string) {
		t.Helper()
		if got := w.explain(e); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
	}

	nobody := watchMemory(root, leaf)
	says(nobody, killed, "")

	events("system.slice/unit", 4)
	unit := watchMemory(root, leaf)
	says(unit, killed, "")
	events("system.slice/unit", 6)
	says(unit, killed, "the kernel killed 2 in "+filepath.Join(root, "cg/system.slice/unit"))
	says(unit, Exit{Reason: ExitCode, Code: 1}, "")
	says(unit, Exit{Reason: ExitKilled, Signal: "SIGKILL"}, "") // it was our own

	events("system.slice/unit/sup/leaf", 0)
	// Who kills is what counts, and not in which leaf he himself lives.
	write("proc/self/cgroup", "0::/system.slice/unit/"+hostLeaf+"\n")
	events("system.slice/unit/"+hostLeaf, 0)
	above := watchMemory(root, "")
	if want := filepath.Join(root, "cg/system.slice/unit/memory.events"); above.file != want {
		t.Errorf("%s is watched; want %s", above.file, want)
	}
	own := watchMemory(root, leaf)
	events("system.slice/unit", 9)
	says(own, killed, "") // somebody else's
	events("system.slice/unit/sup/leaf", 1)
	says(own, killed, "out of memory: the kernel killed it")
	says(own, Exit{Reason: ExitCode, Code: 137}, "the kernel killed 1 of its processes (exit 137)")
	says(own, Exit{Reason: ExitCode}, "")
	// The controller was away, and its count began anew.
	events("system.slice/unit/sup/leaf", 0)
	own.anew()
	own.count = 7
	own.anew()
	events("system.slice/unit/sup/leaf", 1)
	says(own, killed, "out of memory: the kernel killed it")
	if err := os.RemoveAll(filepath.Join(root, "cg")); err != nil {
		t.Fatal(err)
	}
	says(own, killed, "")
}
