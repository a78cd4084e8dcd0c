package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// What the shell that starts a host has locked is free again when the host's process is gone, though its children live.
func TestALockOfTheStartersEndsWithTheHost(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	lock := filepath.Join(t.TempDir(), "lock")
	h := realrun.StartUnder(t, []string{"sh", "-c", `exec 9>"$0"; flock -n 9 && exec "$@"`, lock}, "speedy", redis.URL(),
		worker(1, "sources: [{name: list, plugin: static, vars: {streams: [s1]}, chain: [work]}]\nlease: {ttl: 20s, beat: 1s}\n"))
	awaitRunning(t, redis, 1)
	if free(t, lock) {
		t.Fatal("the lock is not held, there is nothing to test")
	}
	h.Kill()
	realtest.Await(t, time.Minute, "somebody holds the lock still", func() bool { return free(t, lock) })
	if len(h.Supervisors()) != 1 {
		t.Error("the supervisor does not live on")
	}
}

// awaitRunning waits until n slots run.
func awaitRunning(t *testing.T, redis *realtest.RedisServer, n int) {
	t.Helper()
	realtest.Await(t, time.Minute, "not everything runs", func() bool {
		return countSlots(realrun.Status(t, redis.URL()), stream.Running) == n
	})
}

// free tells whether nobody holds a lock.
func free(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // gives back what was locked
	return unix.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// As PID 1 of a container without an init of its own it collects what a careless command leaves behind.
func TestAsPIDOneItLeavesNoZombies(t *testing.T) {
	t.Parallel()
	own := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
	if out, err := exec.Command(own[0], append(own[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no process can be PID 1 here: %v: %s", err, out)
	}
	polls := filepath.Join(t.TempDir(), "polls")
	script := fmt.Sprintf(`(setsid sh -c 'sleep 0.05' &); (sleep 0.02 &); echo poll >> %s; echo s1`, polls)
	h := realrun.StartUnder(t, own, "speedy", "embedded",
		fmt.Sprintf("sources: [{name: ex, plugin: exec, vars: {command: [sh, -c, %q], interval: 100ms}, chain: []}]\n", script))
	realtest.Await(t, time.Minute, "the command does not run", func() bool {
		text, err := os.ReadFile(polls)
		return err == nil && strings.Count(string(text), "\n") >= 10
	})
	daemon := childrenOf(t, h.PID(), "")
	if len(daemon) != 1 {
		t.Fatalf("PID 1 is not one process: %v", daemon)
	}
	realtest.Await(t, time.Minute, "zombies are left", func() bool { return len(childrenOf(t, daemon[0], "Z")) == 0 })
}

// childrenOf lists the children of a process in a state; an empty one stands for all.
func childrenOf(t *testing.T, parent int, state string) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		var pid, of int
		var in string
		_, after, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscan(after, &in, &of); err != nil || of != parent || state != "" && in != state {
			continue
		}
		if _, err := fmt.Sscan(string(text), &pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// A file that is empty for a moment, or for good, ends what runs as a drain does, and says so. Nothing just dies.
func TestAReloadToAFileThatOffersNothingStopsGently(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	note := filepath.Join(t.TempDir(), "note")
	script := fmt.Sprintf("trap 'sleep 1; echo stopped > %s; exit 0' TERM; while :; do sleep 0.1; done", note)
	source := "sources: [{name: list, plugin: static, vars: {streams: [s1]}, chain: [work]}]\n"
	h := realrun.Start(t, "speedy", redis.URL(), fmt.Sprintf("services: {work: {plugin: {name: exec, path: sh, args: [-c, %q]}}}\n%s", script, source))
	awaitRunning(t, redis, 1)
	h.Rewrite("")
	out, errOut, code := realrun.Command(t, redis.URL(), "check-config", h.ConfigFile())
	if code != 0 || !strings.Contains(out+errOut, "there are no services and no sources") {
		t.Errorf("check-config: %d, %s%s", code, out, errOut)
	}
	h.Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the child is not asked to stop", func() bool {
		text, err := os.ReadFile(note)
		return err == nil && string(text) == "stopped\n"
	})
	realtest.Await(t, time.Minute, "the slot is not given back", func() bool {
		return slotOf(realrun.Status(t, redis.URL()), "s1").State == stream.Pending
	})
	status := realrun.Status(t, redis.URL())
	if len(status.Hosts) != 1 || status.Hosts[0].State != stream.Up {
		t.Errorf("the host whose process runs is shown as %+v", status.Hosts)
	}
	if !strings.Contains(h.Log(), "the file offers nothing any more") {
		t.Error("the log does not say why")
	}
}
