package chaos

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// gone fails the test unless a host has left in order: exit 0, no child, and
// down in the store without a lease that has yet to lapse.
func (n *network) gone(h *realrun.Host) {
	n.t.Helper()
	if code := h.Wait(time.Minute); code != 0 {
		n.t.Errorf("exit code %d after TERM", code)
	}
	if on := n.on(h.Name); len(on) > 0 {
		n.t.Errorf("children of %v live on", on)
	}
	hosts, err := n.store().Hosts(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, s := range hosts {
		if s.Host == h.Name && (s.State != stream.Down || s.Deadline != 0) {
			n.t.Errorf("the host that left: %+v", s)
		}
	}
}

func TestNothingCallsALeavingHostBack(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 1, capacity: 3, streams: 2, childEnv: "TEST_CHILD_MODE: deaf", plugin: "stop: {grace: 60s}"})
	w := n.workers[0]
	w.Signal(syscall.SIGTERM)
	realtest.Await(t, time.Minute, "the host leaves", func() bool { return logged(w, "leaving: no more work is taken") })
	for i, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		w.Signal(sig)
		realtest.Await(t, time.Minute, "the signal is heard", func() bool { return strings.Count(w.Log(), "what is going on stays as it is") > i })
	}
	w.Signal(syscall.SIGTERM) // the second kills what is deaf
	n.gone(w)
	if logged(w, "starting anew") || logged(w, "detached") {
		t.Error("it was called back")
	}
}

// TestTermAfterHupIsObeyedByTheNextLife has the store hang while the process
// lets go of its children, which gives TERM the time to come too late.
func TestTermAfterHupIsObeyedByTheNextLife(t *testing.T) {
	t.Parallel()
	p := plan{workers: 1, capacity: 3, streams: 2}
	n := begin(t, p)
	w := n.workers[0]
	slow := strings.Replace(n.workerFile(p), lease(p.mode), "lease: {ttl: 30s, beat: 5s}\n", 1)
	for round, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		w.Rewrite(slow)
		w.Signal(syscall.SIGHUP)
		realtest.Await(t, time.Minute, "the slow file is taken up", func() bool { return strings.Count(w.Log(), "starting anew") == 2*round+1 })
		realtest.Await(t, time.Minute, "its children are adopted", func() bool { return strings.Count(w.Log(), `"reason":"adopted"`) == 4*round+2 })
		n.redis.Freeze()
		w.Signal(sig)
		realtest.Await(t, time.Minute, "it detaches", func() bool { return strings.Count(w.Log(), "detaching:") == 2*round+2 })
		w.Signal(syscall.SIGTERM)
		realtest.Await(t, time.Minute, "TERM is heard", func() bool { return strings.Count(w.Log(), "what is going on stays as it is") == round+1 })
		n.redis.Thaw()
		n.gone(w)
		if strings.Count(w.Log(), "the next life takes them over and leaves") != round+1 {
			t.Errorf("after %v it was not the next life that left", sig)
		}
		if round == 0 {
			w.Again()
			n.awaitLive(2, time.Minute)
		}
	}
	n.noDoubles()
}

// TestReloadWhileTheStoreHangsStopsNothing has one process do everything, so
// that there is much that waits for the store while it ends.
func TestReloadWhileTheStoreHangsStopsNothing(t *testing.T) {
	t.Parallel()
	p := plan{capacity: 5, streams: 3}
	n := &network{t: t, watch: realrun.Observe(t), live: filepath.Join(t.TempDir(), "live")}
	url := n.openStore(p)
	n.list(p.streams)
	all := strings.Replace(n.workerFile(p), "scheduler: {enabled: false}\n", n.listing(p), 1)
	h := realrun.Start(t, "all", url, all)
	n.awaitLive(p.streams, 90*time.Second)
	before, from := n.watch.Alive(), time.Now()
	n.redis.Freeze()
	n.hold(ttl) // so that what it has is what keep gives
	for round, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		h.Signal(sig)
		if sig == syscall.SIGUSR1 {
			h.Wait(time.Minute)
			h.Again()
		}
		realtest.Await(t, time.Minute, "they are adopted", func() bool { return strings.Count(h.Log(), `"reason":"adopted"`) == 3*(round+1) })
		n.hold(ttl)
	}
	n.redis.Thaw()
	n.hold(ttl + 4*beat)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("HUP; USR1 and start while Redis hangs, keep", from)
}
