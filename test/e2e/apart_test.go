package e2e

import (
	"fmt"
	"os"
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
