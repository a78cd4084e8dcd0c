package runners

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestALockSharedByAForkEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := openStateDir(path)
	if err != nil {
		t.Fatal(err)
	}
	// What a process has between its fork and its exec.
	shared, err := unix.Dup(int(d.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(shared) }() // a copy of what is closed
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	next, err := openStateDir(path)
	if err != nil {
		t.Fatalf("a directory that was given back: %v", err)
	}
	if err := next.close(); err != nil {
		t.Fatal(err)
	}
}

func TestALockThatOutlivesItsHolderForAMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := openStateDir(path)
	if err != nil {
		t.Fatal(err)
	}
	// The holder died, and its fork execs a little later.
	time.AfterFunc(lockPatience/5, func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	next, err := openStateDir(path)
	if err != nil {
		t.Fatalf("a lock that ends soon: %v", err)
	}
	if err := next.close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStateDirectoryThatCannotBeWrittenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const path = "/sys/kernel/state" // where nobody may make anything
	_, err := openStateDir(path)
	if err == nil || !strings.Contains(err.Error(), path+" must be writable") || !strings.Contains(err.Error(), "state_dir") {
		t.Errorf("a directory that cannot be made: %v", err)
	}
	if err := unusable(path, unix.EROFS); !strings.Contains(err.Error(), "read-only file system; "+path+" must be writable") {
		t.Errorf("a read-only file system: %v", err)
	}
	d, err := openStateDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckStateDir(d.path); err != nil {
		t.Error(err) // though its runner lives
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if err := CheckStateDir(filepath.Join(d.path, "gone")); err == nil {
		t.Error("a directory that is gone can be taken over")
	}
}
