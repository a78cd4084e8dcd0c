package runners

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	dirSlots        = "s" // short: sockets lie below it
)

// MaxStateDir leaves room for /s/<16 digits>/ and a socket's name in the 107
// bytes a unix socket's path may have.
const MaxStateDir = 83

// stateDir is the place of one runner on this machine. Holding its lock is
// being the one runner there.
type stateDir struct {
	path   string
	lock   *os.File
	hostID string
	odd    []string // what lay there in place of our files, for the log
}

// Bounds of what is read from a state directory; what is larger was put there
// by somebody else.
const (
	maxName       = 1 << 10 // of a host id or an incarnation
	maxMemo       = 16 << 20
	maxTombsBytes = 64 << 20
)

// How long a file system may take to answer: for one file less than adopted
// children have left after a reload; for the directory itself, without which
// there is no host, more.
const (
	filePatience = time.Second
	dirPatience  = 10 * time.Second
)

// readFile reads a file of ours. Error: regular.ErrOdd, regular.ErrHangs,
// fs.ErrNotExist.
func readFile(path string, limit int64) ([]byte, error) {
	return regular.Within(filePatience, path, func() ([]byte, error) { return regular.Read(path, limit) }, nil)
}

// openStateDir makes the directory if need be and locks it. What is no file
// where ours should be is set aside. Error: *RefusedError when another runner
// lives there.
func openStateDir(path string) (*stateDir, error) {
	if len(path) > MaxStateDir {
		return nil, fmt.Errorf("state directory %s has %d bytes, and sockets lie below it: %d at most", path, len(path), MaxStateDir)
	}
	d := &stateDir{path: path}
	lock, err := regular.Within(dirPatience, path, func() (*os.File, error) { return d.make() }, func(f *os.File) { _ = f.Close() })
	if err != nil {
		return nil, unusable(path, err)
	}
	d.lock = lock
	if err := takeLock(lock); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &RefusedError{Why: fmt.Sprintf("another runner lives in the state directory %s; stop it, or give this one another state_dir", path)}
		}
		return nil, errors.Join(err, lock.Close())
	}
	if d.hostID, err = d.readOrMake(fileHostID); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory: %w", err), lock.Close())
	}
	return d, nil
}

// make makes the directory, takes away what is odd in it, and opens the lock.
func (d *stateDir) make() (*os.File, error) {
	if err := os.MkdirAll(d.slots(), 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{fileLock, fileHostID, fileIncarnation, fileTombstones} {
		path := filepath.Join(d.path, name)
		aside, err := regular.SetAside(path)
		if err != nil {
			return nil, err
		}
		if aside != "" {
			d.odd = append(d.odd, path+" was no file; it was set aside as "+aside)
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

// CheckStateDir tells whether the next life could take the directory over:
// one that became read-only would keep it from its children. A full disk
// would not.
func CheckStateDir(path string) error {
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

// close gives the lock back, for whoever shares it too.
func (d *stateDir) close() error {
	return errors.Join(unix.Flock(int(d.lock.Fd()), unix.LOCK_UN), d.lock.Close())
}

func (d *stateDir) readOrMake(name string) (string, error) {
	before := len(d.odd)
	text, err := d.read(name)
	if err != nil || text != "" {
		return text, err
	}
	id := rand.Text()
	err = replaceFile(filepath.Join(d.path, name), []byte(id+"\n"))
	if err != nil && len(d.odd) > before {
		// The life before is known by its incarnation, too.
		d.odd = append(d.odd, err.Error())
		err = nil
	}
	return id, err
}

// read is the text of a file with one line; empty if there is none of ours.
func (d *stateDir) read(name string) (string, error) {
	text, err := readFile(filepath.Join(d.path, name), maxName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, regular.ErrOdd), errors.Is(err, regular.ErrHangs):
		d.odd = append(d.odd, err.Error())
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// incarnation is the last life that registered from here, empty for none.
func (d *stateDir) incarnation() (string, error) {
	return d.read(fileIncarnation)
}

func (d *stateDir) setIncarnation(id string) error {
	return replaceFile(filepath.Join(d.path, fileIncarnation), []byte(id+"\n"))
}

// slots is where the slots' directories and memos lie.
func (d *stateDir) slots() string { return filepath.Join(d.path, dirSlots) }

// slot is the supervisor's directory of a token.
func (d *stateDir) slot(token string) string { return filepath.Join(d.slots(), tokenName(token)) }

// tokenName is short whatever a token is made of.
func tokenName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// replaceFile writes a file in one step. It does not sync: what these files
// say is about processes and lives that a crash of the machine ends as well.
func replaceFile(path string, text []byte) error { return regular.Replace(path, text, 0o600) }
