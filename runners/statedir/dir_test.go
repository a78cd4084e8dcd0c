package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestALockSharedByAForkEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	// What a process has between its fork and its exec.
	shared, err := unix.Dup(int(d.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(shared) }() // a copy of what is closed
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := Open(path)
	if err != nil {
		t.Fatalf("a directory that was given back: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestALockThatOutlivesItsHolderForAMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	// The holder died, and its fork execs a little later.
	time.AfterFunc(lockPatience/5, func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	next, err := Open(path)
	if err != nil {
		t.Fatalf("a lock that ends soon: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStateDirectoryTooLongForSocketsIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Open("/tmp/" + strings.Repeat("x", 100)); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state directory too long for sockets: %v", err)
	}
}

func TestAStateDirectoryWithARunnerIsLocked(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }() // a lock of this test alone
	if _, err := Open(path); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second runner there: %v", err)
	}
}

func TestAStateDirectoryThatCannotBeWrittenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const path = "/sys/kernel/state" // where nobody may make anything
	_, err := Open(path)
	if err == nil || !strings.Contains(err.Error(), path+" must be writable") || !strings.Contains(err.Error(), "state_dir") {
		t.Errorf("a directory that cannot be made: %v", err)
	}
	if err := unusable(path, unix.EROFS); !strings.Contains(err.Error(), "read-only file system; "+path+" must be writable") {
		t.Errorf("a read-only file system: %v", err)
	}
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(d.path); err != nil {
		t.Error(err) // though its runner lives
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check(filepath.Join(d.path, "gone")); err == nil {
		t.Error("a directory that is gone can be taken over")
	}
}
