package runners_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// fillDisk has a runner of this process write no tombstone any more, as the disk is
// full, until it is cleared.
func fillDisk(t *testing.T, state string) (clear func()) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	over := func(fd, by int) {
		if err := unix.Dup3(by, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range fds {
		path, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || path != filepath.Join(state, "tombstones") {
			continue // of another test, and closed meanwhile
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		whole, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		over(fd, int(full.Fd()))
		t.Cleanup(func() { _ = errors.Join(full.Close(), unix.Close(whole)) }) // copies
		return func() { over(fd, whole) }
	}
	t.Fatalf("nobody writes tombstones in %s", state)
	return nil
}

func TestWhatAFullDiskKeepsFromStartingRunsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	a.run(a.options(a.shell("work", story)))
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	// Memos have no place to be written to, nor tombstones.
	slots := filepath.Join(a.state, "s")
	if err := os.Rename(slots, slots+".away"); err != nil {
		t.Fatal(err)
	}
	fillDisk(t, a.state)
	w.announce("s2", nil, "work")
	w.awaitSlot("s2", "work", "does not say why it does not start", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "cannot start: memo of s2/work")
	})
	b.run(b.options(b.shell("work", story)))
	w.awaitRunning("s2", "work", "b")
	b.awaitCount("start", 1)
	if a.alive() != 1 || w.instance("s1", "work").Host != "a" {
		t.Error("what ran on the host with the full disk did not go on")
	}
	if err := os.Rename(slots+".away", slots); err != nil {
		t.Fatal(err)
	}
}

func TestASlotForgetsTheFullDiskOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.host("a")
	fixed := a.shell("fixed", "")
	fixed.Exec = nil // static: nothing is started, so nothing else would tell anew
	a.run(a.options(fixed, a.shell("work", story)))
	slots := filepath.Join(a.state, "s")
	if err := os.Rename(slots, slots+".away"); err != nil {
		t.Fatal(err)
	}
	w.announce("s1", nil, "fixed", "work")
	for _, slot := range []string{"fixed", "work"} {
		w.awaitSlot("s1", slot, "does not say why it does not start", func(s store.InstanceRecord) bool {
			return strings.Contains(s.Reason.String(), "cannot start: memo of s1/"+slot)
		})
	}
	if err := os.Rename(slots+".away", slots); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []string{"fixed", "work"} {
		w.awaitSlot("s1", slot, "keeps the reason of before", func(s store.InstanceRecord) bool {
			return s.Reason.IsZero() && s.State == stream.Running
		})
	}
}

func TestWhatNeverRanIsReleasedByTheNextLifeToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	slots := filepath.Join(h.state, "s")
	if err := os.Rename(slots, slots+".away"); err != nil {
		t.Fatal(err)
	}
	w.announce("s1", nil, "work")
	old := w.awaitSlot("s1", "work", "does not fail", func(s store.InstanceRecord) bool { return strings.Contains(s.Reason.String(), "cannot start") }).Token
	l.detach()
	// The next life can start it, but write no tombstone: a file that takes
	// none, and something in the way of another.
	tombstones := filepath.Join(h.state, "tombstones")
	for _, err := range []error{
		os.Rename(slots+".away", slots), os.Remove(tombstones), os.Symlink("/proc/self/oom_score_adj", tombstones),
		os.MkdirAll(filepath.Join(tombstones+".new", "in the way"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.run(h.options(h.shell("work", story)))
	w.awaitSlot("s1", "work", "is not placed anew", func(s store.InstanceRecord) bool { return s.State == stream.Running && s.Token != old })
	h.awaitCount("start", 1)
}

func TestWhatRanIsReleasedOnlyWhenItsEndIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	old := w.awaitRunning("s1", "work", "speedy").Token
	clear := fillDisk(t, h.state)
	w.retract("s1")
	h.awaitCount("stop", 1)
	w.awaitSlot("s1", "work", "does not say what it waits for", func(s store.InstanceRecord) bool {
		return strings.Contains(s.Reason.String(), "before its end is written down")
	})
	still(t, 2*beat, "it was released", func() bool {
		s := w.instance("s1", "work")
		return s.Token == old && s.State == stream.Stopping
	})
	clear()
	realtest.Await(t, time.Minute, "it is not released", func() bool { return w.used("speedy") == 0 })
}
