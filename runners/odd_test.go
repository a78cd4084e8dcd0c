package runners_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/realtest"
	"stream-api/runners"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// oddThings are what may lie where a file of ours should.
var oddThings = map[string]func(path string) error{
	"pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
	"link": func(path string) error { return os.Symlink("/etc/passwd", path) },
	"directory": func(path string) error {
		return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "precious"), nil, 0o600))
	},
	"gigabyte": func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30))
	},
}

// patientLife has children outlive what a busy machine makes of a reload.
func (h *host) patientLife() runners.Options {
	o := h.options(h.shell("work", story))
	o.TTL = 10 * time.Second
	return o
}

// Whatever a hand, a script or a broken disk put into the place of one file, the next life registers, takes over everything
// that file was not about, and runs nothing twice.
func TestNothingOddInAStateDirectoryKeepsAHostAway(t *testing.T) {
	t.Parallel()
	for kind, put := range oddThings {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.host("speedy")
			l := h.run(h.patientLife())
			w.announce("victim", nil, "work")
			w.announce("witness", nil, "work")
			h.awaitCount("start", 2)
			witness := w.awaitRunning("witness", "work", "speedy")
			o := observe(t, h)
			for _, name := range []string{
				"lock", "host_id", "incarnation", "tombstones",
				"SLOT.json", "SLOT/spec.json", "SLOT/state.json", "SLOT/lock", "SLOT/log", "SLOT/stderr", "SLOT/sock", "SLOT/prog", "SLOT/io/vars", "SLOT/io", "SLOT/work", "SLOT",
			} {
				token := w.awaitRunning("victim", "work", "speedy").Token
				l.detach()
				path := slotPath(h.state, name, token)
				if err := errors.Join(os.Rename(path, path+".was"), put(path)); err != nil {
					t.Fatal(err)
				}
				l = h.run(h.patientLife())
				victim := w.awaitSlot("victim", "work", "does not run with "+name+" odd", func(s store.InstanceRecord) bool {
					return s.State == stream.Running && l.runs(s.Token) && h.lives(s.Token)
				})
				// Without its memo nobody may speak to it, without its socket nobody can.
				alone := name == "SLOT.json" || name == "SLOT/sock" || name == "SLOT"
				if !alone && victim.Token != token {
					t.Errorf("with %s odd a child was not taken over", name)
				}
				realtest.Await(t, time.Minute, "with "+name+" odd a slot that it is not about is not taken over", func() bool { return l.runs(witness.Token) })
				if now := w.instance("witness", "work"); now.Token != witness.Token || !h.lives(witness.Token) {
					t.Fatalf("with %s odd a slot that it is not about was %+v, is %+v", name, witness, now)
				}
				realtest.Await(t, time.Minute, "with "+name+" odd there are not two children", func() bool { return h.alive() == 2 })
				if victim.Token == token && strings.HasPrefix(name, "SLOT") { // one thing at a time
					if err := errors.Join(os.RemoveAll(path), os.Rename(path+".was", path)); err != nil {
						t.Fatal(err)
					}
				}
			}
			o.check(t, h)
			if text, err := os.ReadFile("/etc/passwd"); err != nil || len(text) == 0 {
				t.Fatalf("a link was written through: %v", err)
			}
			l.leave()
		})
	}
}

// slotPath is a file of a state directory; SLOT stands for the directory of a token's slot.
func slotPath(state, name, token string) string {
	if rest, ok := strings.CutPrefix(name, "SLOT"); ok {
		return statedir.Slot(state, token) + rest
	}
	return filepath.Join(state, name)
}

// runs tells whether a life holds a token's slot as one that runs.
func (l *life) runs(token string) bool {
	return slices.ContainsFunc(l.Slots(), func(s runners.Held) bool { return s.Token == token && s.Phase == runners.PhaseRunning })
}

// lives tells whether the child of a token lives.
func (h *host) lives(token string) bool {
	return slices.ContainsFunc(h.marks(), func(m mark) bool { return m.token == token && lives(m.pid) })
}

// Who reads a log waits for nothing that a child put there, and is shown nothing of it.
func TestALogThatIsNoneHoldsNoReader(t *testing.T) {
	t.Parallel()
	for kind, put := range oddThings {
		dir := filepath.Join(t.TempDir(), kind)
		if err := errors.Join(os.Mkdir(dir, 0o700), put(filepath.Join(dir, "log"))); err != nil {
			t.Fatal(err)
		}
		for _, follow := range []bool{false, true} {
			err := supervisor.ReadLog(context.Background(), dir, -1, follow, func(l supervisor.LogLine) error {
				t.Errorf("%s: shown %q", kind, l.Text)
				return errors.New("enough")
			})
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "log")) {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// hang makes whoever opens path wait until the test ends, as a network mount does whose server is gone.
func hang(t *testing.T, path string) {
	t.Helper()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no file system can be made to hang here: ", err)
	}
	err = unix.Mount("hangs", path, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=100000,user_id=0,group_id=0", fuse.Fd()))
	if err != nil {
		_ = fuse.Close()
		t.Skip("no file system can be made to hang here: ", err)
	}
	t.Cleanup(func() {
		// The other end goes, and with it everybody's waiting.
		if err := errors.Join(fuse.Close(), unix.Unmount(path, unix.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	})
}

// A memo on a file system that does not answer is about one slot; the host and its other slots do not wait for it.
func TestAFileThatHangsKeepsNoHostAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.patientLife())
	w.announce("victim", nil, "work")
	w.announce("witness", nil, "work")
	h.awaitCount("start", 2)
	token, witness := w.awaitRunning("victim", "work", "speedy").Token, w.awaitRunning("witness", "work", "speedy").Token
	o := observe(t, h)
	l.detach()
	hang(t, slotPath(h.state, "SLOT.json", token))
	l = h.run(h.patientLife())
	w.awaitSlot("victim", "work", "is not placed anew", func(s store.InstanceRecord) bool {
		return s.State == stream.Running && s.Token != token && h.lives(s.Token)
	})
	if !l.runs(witness) || h.count("start") != 3 {
		t.Errorf("the other slot was not taken over: %+v, %d starts", l.Slots(), h.count("start"))
	}
	o.check(t, h)
	l.leave()
}
