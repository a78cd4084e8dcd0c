package runners

import (
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
