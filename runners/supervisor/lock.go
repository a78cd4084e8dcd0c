package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
)

// takeLock locks dir for the life of this process. The kernel gives the lock back when the process is gone, however it
// went, so it is the one true sign of a living supervisor.
func takeLock(dir string) (*os.File, error) {
	f, err := regular.Open(filepath.Join(dir, fileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := wholeFile()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		return nil, errors.Join(fmt.Errorf("another supervisor lives in %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// Live reports whether the supervisor of dir lives. It only asks, and so never stands in the way of one that starts. If
// something else lies where the lock was, the process that the state names has the word: one that lives is never taken
// for dead, as its slot would then run twice.
func Live(dir string) (bool, error) {
	if there, err := realDirectory(dir); err != nil || !there {
		return false, err // in none of ours nobody lives; what was started for it leftovers finds
	}
	path := filepath.Join(dir, fileLock)
	locked, err := regular.Within(filePatience, path, func() (bool, error) { return locked(path) }, nil)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, regular.ErrOdd) && !errors.Is(err, regular.ErrHangs) {
		return false, err
	}
	if locked {
		return true, nil
	}
	return stateLives(dir)
}

func locked(path string) (bool, error) {
	f, err := regular.Open(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	l := wholeFile()
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l)
	if err != nil {
		err = fmt.Errorf("ask for the lock %s: %w", path, err)
	}
	return err == nil && l.Type != unix.F_UNLCK, errors.Join(err, f.Close())
}

// stateLives reports whether the supervisor that the state names is there.
func stateLives(dir string) (bool, error) {
	state, err := ReadState(dir)
	if err != nil {
		return false, nil // none, or none that says anything; what runs without one leftovers finds
	}
	boot, err := bootID()
	return err == nil && state.BootID == boot && state.Supervisor.alive(), err
}

func wholeFile() unix.Flock_t { return unix.Flock_t{Type: unix.F_WRLCK, Whence: 0} }
