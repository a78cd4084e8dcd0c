package runners

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
	"stream-api/store"
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

func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	d, err := openStateDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }() // a lock of this test alone
	good := memo{Reservation: store.Reservation{Key: "s1", Slot: "work", Token: "1-a"}}
	if err := d.writeMemo(good); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(d.slots(), "0123456789abcdef")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		filepath.Join(d.path, fileTombstones+regular.NewSuffix), filepath.Join(d.path, "own.new"),
		d.memoPath("2-b") + regular.NewSuffix, d.memoPath("3-c"), broken + memoSuffix,
	} {
		if err := os.WriteFile(name, []byte(`{"reservation":`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.sweep(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, pattern := range []string{"*new", "s/*"} {
		names, err := filepath.Glob(filepath.Join(d.path, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			left = append(left, filepath.Base(name))
		}
	}
	want := []string{"own.new", "0123456789abcdef", "0123456789abcdef.json", tokenName("1-a") + memoSuffix}
	slices.Sort(left)
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %v; want %v", left, want)
	}
}
