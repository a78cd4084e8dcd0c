package statedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
)

// Files of a state directory.
const (
	fileLock        = "lock"        // locked for as long as the runner lives
	fileHostID      = "host_id"     // tells this place from another one under the same host name
	fileIncarnation = "incarnation" // the last life that registered
	fileTombstones  = "tombstones"
	fileEnds        = "ends" // after which jobs come
	dirSlots        = "s"    // short: sockets lie below it
)

// MaxPath leaves room for /s/<16 digits>/ and a socket's name in the 107
// bytes a unix socket's path may have.
const MaxPath = 83

// Dir is an open state directory. Holding its lock is being the one runner there.
type Dir struct {
	HostID string   // tells this place from another one under the same host name
	Odd    []string // what lay there in place of our files, for the log

	path string
	lock *os.File
}

// ErrLocked: another runner lives in the directory.
var ErrLocked = errors.New("another runner lives in the state directory")

// Open makes the directory if need be and locks it. What is no file where ours
// should be is set aside. Error: ErrLocked, and what the file system says.
func Open(path string) (*Dir, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("state directory %s has %d bytes, and sockets lie below it: %d at most", path, len(path), MaxPath)
	}
	d := &Dir{path: path}
	lock, err := regular.Within(dirPatience, path, func() (*os.File, error) { return d.make() }, func(f *os.File) { _ = f.Close() })
	if err != nil {
		return nil, unusable(path, err)
	}
	d.lock = lock
	if err := takeLock(lock); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%w %s; stop it, or give this one another state_dir", ErrLocked, path)
		}
		return nil, errors.Join(err, lock.Close())
	}
	if d.HostID, err = d.readOrMake(fileHostID); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory: %w", err), lock.Close())
	}
	return d, nil
}

// make makes the directory, takes away what is odd in it, and opens the lock.
func (d *Dir) make() (*os.File, error) {
	if err := os.MkdirAll(d.slots(), 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{fileLock, fileHostID, fileIncarnation, fileTombstones, fileEnds} {
		path := filepath.Join(d.path, name)
		aside, err := regular.SetAside(path)
		if err != nil {
			return nil, err
		}
		if aside != "" {
			d.Odd = append(d.Odd, path+" was no file; it was set aside as "+aside)
		}
	}
	return regular.Open(filepath.Join(d.path, fileLock), os.O_CREATE|os.O_RDWR, 0o600)
}

// unusable says what can be done about a state directory.
func unusable(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("state directory: %w; %s must be writable for the user this runs as, or state_dir name another", err, path)
	}
	return fmt.Errorf("state directory: %w", err)
}

// Check tells whether the next life could take the directory over:
// one that became read-only would keep it from its children. A full disk
// would not.
func Check(path string) error {
	_, err := regular.Within(dirPatience, path, func() (bool, error) {
		lock, err := regular.Open(filepath.Join(path, fileLock), os.O_RDWR, 0)
		if errors.Is(err, regular.ErrOdd) {
			return true, unix.Access(path, unix.W_OK) // it will be set aside
		}
		if err != nil {
			return false, err
		}
		return true, lock.Close()
	}, nil)
	if err != nil {
		return unusable(path, err)
	}
	return nil
}

// LivedIn tells whether a life of a host ever registered from a state directory.
func LivedIn(path string) bool {
	_, err := os.Lstat(filepath.Join(path, fileIncarnation))
	return err == nil
}

// lockPatience is how long a lock may outlive its holder: a process that it was
// just starting shares it from the fork to the exec.
const lockPatience = time.Second

func takeLock(lock *os.File) error {
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(begun) > lockPatience {
			return err
		}
	}
}

// Close gives the lock back, for whoever shares it too.
func (d *Dir) Close() error {
	return errors.Join(unix.Flock(int(d.lock.Fd()), unix.LOCK_UN), d.lock.Close())
}

// Incarnation is the last life that registered from here, empty for none.
func (d *Dir) Incarnation() (string, error) { return d.read(fileIncarnation) }

// SetIncarnation writes down that this life registered.
func (d *Dir) SetIncarnation(id string) error {
	return replaceFile(filepath.Join(d.path, fileIncarnation), []byte(id+"\n"))
}

// slots is where the slots' directories and memos lie.
func (d *Dir) slots() string { return filepath.Join(d.path, dirSlots) }

// Slot is the supervisor's directory of a token.
func (d *Dir) Slot(token string) string { return filepath.Join(d.slots(), tokenName(token)) }

// Slot is the supervisor's directory of a token in a state directory that need not be open.
func Slot(path, token string) string { return (&Dir{path: path}).Slot(token) }

// tokenName is short whatever a token is made of.
func tokenName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}
