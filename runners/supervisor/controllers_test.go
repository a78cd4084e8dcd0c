package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGroup is a slot's cgroup below one with these controllers, each with what a kernel has for it once it is enabled.
func fakeGroup(t *testing.T, controllers string) (c *cgroup, read func(string) string) {
	t.Helper()
	base := t.TempDir()
	c = &cgroup{path: filepath.Join(base, "slot")}
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(base, "cgroup.controllers"), controllers+"\n")
	write(filepath.Join(base, "cgroup.subtree_control"), "")
	write(filepath.Join(base, hostLeaf, "cpu.weight"), "100")
	for _, s := range (Limits{}).settings() {
		if strings.Contains(controllers, s.controller+" ") { // the last is not enabled yet
			write(filepath.Join(c.path, s.file), "as it was")
		}
	}
	return c, func(file string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(c.path, file))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(text[:min(len(text), 64)]), "\n")
	}
}

func TestLimitsByCgroupAreWrittenAndTakenBack(t *testing.T) {
	t.Parallel()
	c, read := fakeGroup(t, "cpuset cpu memory pids io")
	expect := func(when string, want map[string]string) {
		t.Helper()
		for file, value := range want {
			if got := read(file); !strings.HasPrefix(got, value) {
				t.Errorf("%s %s says %q; want %q", when, file, got, value)
			}
		}
	}
	limits := Limits{Memory: 512 << 20, PIDs: 99, CPU: 1500, CPUs: "0-1,3", Nice: 7, Files: 100}
	if err := c.hold(limits); err != nil {
		t.Fatal(err)
	}
	expect("with limits", map[string]string{
		"memory.max": "536870912", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "99",
		"cpu.max": "150000 100000", "cpu.weight.nice": "7", "cpuset.cpus": "0-1,3",
	})
	if err := c.hold(Limits{}); err != nil {
		t.Fatal(err)
	}
	expect("without", map[string]string{
		"memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0", "pids.max": "max", "cpu.max": "max 100000", "cpu.weight.nice": "0", "cpuset.cpus": "\n",
	})
}

func TestAControllerIsEnabledWhenALimitNeedsIt(t *testing.T) {
	t.Parallel()
	c, read := fakeGroup(t, "memory cpu")
	// No kernel is here to bring the file once it is: so it fails, but for the right file.
	err := c.hold(Limits{CPU: 500, PIDs: 9})
	for _, want := range []string{"limits.cpu: open " + filepath.Join(c.path, "cpu.max"), "limits.pids: there is no controller pids in "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if got := read("../cgroup.subtree_control"); got != "+cpu" {
		t.Errorf("enabled: %q", got)
	}
	if got := read("../" + hostLeaf + "/cpu.weight"); got != "10000" {
		t.Errorf("who keeps the deadlines weighs %s", got)
	}
}

func TestLimitsThatCannotBeHadAreToldByWhatRunsWithoutThem(t *testing.T) {
	t.Parallel()
	limits := Limits{Memory: 1 << 30, CPU: 500}
	r := launch(t, func(s *Spec) {
		s.Path, s.Args = "sleep", []string{"1000"}
		s.Limits = limits
	})
	r.await(EventStarted)
	state, err := ReadState(r.dir)
	r.must(err)
	why := CheckLimits(limits)
	if (why == nil) != (state.Unheld == "") {
		t.Errorf("its state says %q; a try: %v", state.Unheld, why)
	}
	if why == nil {
		t.Skip("they hold here")
	}
	for _, want := range []string{"limits.memory: ", "; limits.cpu: "} {
		if !strings.Contains(state.Unheld, want) {
			t.Errorf("no %q in %q", want, state.Unheld)
		}
	}
	if r.saw(EventWarning) == 0 {
		t.Error("nobody was told")
	}
}

func TestAMachinesControllersAreLookedAt(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t, mountV2, "0::/\n", "/sys/fs/cgroup")
	if err := os.WriteFile(filepath.Join(root, "sys/fs/cgroup/cgroup.controllers"), []byte("memory pids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Limits{Memory: 1 << 30, PIDs: 5, Files: 100, Nice: 3}).missing(root); err != nil {
		t.Error(err)
	}
	if err := (Limits{Memory: 1 << 30, CPUs: "0"}).missing(root); err == nil || err.Error() != "limits.cpus: there is no controller cpuset in cgroup v2" {
		t.Error(err)
	}
	old := fakeRoot(t, mountV1, "0::/\n")
	if err := (Limits{Memory: 1 << 30}).missing(old); err == nil || !strings.Contains(err.Error(), "limits.memory: no delegated cgroup v2: none mounted") {
		t.Error(err)
	}
}
