package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// takeLock locks dir for the life of this process. The kernel gives the lock back when the process is gone, however it
// went, so it is the one true sign of a living supervisor.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, fileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := wholeFile()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		return nil, errors.Join(fmt.Errorf("another supervisor lives in %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// Live reports whether the supervisor of dir lives. It only asks, and so never stands in the way of one that starts.
func Live(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, fileLock), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l := wholeFile()
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l)
	if err != nil {
		err = fmt.Errorf("ask for the lock of %s: %w", dir, err)
	}
	return l.Type != unix.F_UNLCK, errors.Join(err, f.Close())
}

func wholeFile() unix.Flock_t { return unix.Flock_t{Type: unix.F_WRLCK, Whence: 0} }
