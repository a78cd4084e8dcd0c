package e2e

import (
	"os"
	"path/filepath"
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
