package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// A probe waits while its host's process is killed, or frozen, or Redis is away, and goes on all the same: the child's
// output comes in that time, nothing that depends on it starts then, and it does once the host and Redis are back. The
// child is the one that was started before.
func TestAProbeGoesOnWithoutRunnerAndRedis(t *testing.T) {
	t.Parallel()
	type scene struct {
		h     *realrun.Host
		redis *realtest.RedisServer
	}
	for name, c := range map[string]struct{ away, back func(scene) }{
		"runner killed": {func(s scene) { s.h.Kill() }, func(s scene) { s.h.Again() }},
		"runner frozen": {func(s scene) { s.h.Signal(syscall.SIGSTOP) }, func(s scene) { s.h.Signal(syscall.SIGCONT) }},
		"Redis frozen":  {func(s scene) { s.redis.Freeze() }, func(s scene) { s.redis.Thaw() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			probes, output, after := filepath.Join(dir, "probes"), filepath.Join(dir, "output"), filepath.Join(dir, "after")
			size := func(path string) int64 {
				info, err := os.Stat(path)
				if err != nil {
					return 0
				}
				return info.Size()
			}
			redis, list := realtest.Redis(t), newListing(t, "s1")
			ready := fmt.Sprintf("      ready: {command: [sh, -c, 'echo >> %s; test -e %s'], interval: 100ms, timeout: 10m}\n    stream_vars: {url: x}\n", probes, output)
			// The lease is long: what is shown is that the probe goes on, however slow the machine.
			h := realrun.Start(t, "a", redis.URL(), "lease: {ttl: 120s}\n"+list.source("up, dep")+"services:\n"+
				bash("up", "exec sleep 1000", ready)+bash("dep", "echo >> "+after+"; exec sleep 1000", "", `URL: "${up:url}"`))
			state := func(slot string) (out stream.InstanceStatus) {
				for _, s := range realrun.Status(t, redis.URL()).Streams {
					for _, v := range s.Slots {
						if v.Slot == slot {
							out = v
						}
					}
				}
				return out
			}
			realtest.Await(t, time.Minute, "it is probed, and not ready", func() bool {
				return size(probes) > 0 && state("up").Phase == stream.Unready
			})
			c.away(scene{h, redis})
			before := size(probes)
			realtest.Await(t, time.Minute, "it is probed on", func() bool { return size(probes) > before+2 })
			if err := os.WriteFile(output, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			realtest.Await(t, time.Minute, "its log says that it is ready", func() bool { return logged(t, h, " ready: ") })
			if size(after) > 0 {
				t.Error("what depends on it has started already")
			}
			c.back(scene{h, redis})
			realtest.Await(t, 2*time.Minute, "what depends on it starts", func() bool { return size(after) > 0 })
			realtest.Await(t, time.Minute, "it is told", func() bool { v := state("up"); return v.State == stream.Running && v.Phase == "" })
			if n := state("up").Restarts; n != 0 {
				t.Errorf("it was started %d times more", n)
			}
		})
	}
}

// logged tells whether a slot's log of the host has a text in it.
func logged(t *testing.T, h *realrun.Host, text string) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(h.StateDir, "s", "*", "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if got, err := os.ReadFile(path); err == nil && strings.Contains(string(got), text) {
			return true
		}
	}
	return false
}
