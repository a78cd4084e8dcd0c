package runners_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

func TestWhatAFullDiskKeepsFromStartingRunsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	la := a.run(a.options(a.shell("work", story)))
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	// Memos have no place to be written to, nor tombstones.
	slots := filepath.Join(a.state, "s")
	if err := os.Rename(slots, slots+".away"); err != nil {
		t.Fatal(err)
	}
	la.FillDisk()
	w.announce("s2", nil, "work")
	w.awaitSlot("s2", "work", "does not say why it does not start", func(s store.SlotRecord) bool {
		return strings.Contains(s.Reason, "cannot start: memo of s2/work")
	})
	b.run(b.options(b.shell("work", story)))
	w.awaitRunning("s2", "work", "b")
	b.awaitCount("start", 1)
	if a.alive() != 1 || w.slot("s1", "work").Host != "a" {
		t.Error("what ran on the host with the full disk did not go on")
	}
	if err := os.Rename(slots+".away", slots); err != nil {
		t.Fatal(err)
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
	old := w.awaitSlot("s1", "work", "does not fail", func(s store.SlotRecord) bool { return strings.Contains(s.Reason, "cannot start") }).Token
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
	w.awaitSlot("s1", "work", "is not placed anew", func(s store.SlotRecord) bool { return s.State == stream.Running && s.Token != old })
	h.awaitCount("start", 1)
}

func TestWhatRanIsReleasedOnlyWhenItsEndIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	old := w.awaitRunning("s1", "work", "speedy").Token
	clear := l.FillDisk()
	w.retract("s1")
	h.awaitCount("stop", 1)
	w.awaitSlot("s1", "work", "does not say what it waits for", func(s store.SlotRecord) bool {
		return strings.Contains(s.Reason, "before its end is written down")
	})
	still(t, 2*beat, "it was released", func() bool {
		s := w.slot("s1", "work")
		return s.Token == old && s.State == stream.Stopping
	})
	clear()
	realtest.Await(t, 20*time.Second, "it is not released", func() bool { return w.used("speedy") == 0 })
}
