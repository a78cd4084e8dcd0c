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
)

// Files of a state directory.
const (
	fileLock        = "lock"        // locked for as long as the runner lives
	fileHostID      = "host_id"     // tells this place from another one under the same host name
	fileIncarnation = "incarnation" // the last life that registered
	fileTombstones  = "tombstones"
	dirSlots        = "s" // short: sockets lie below it
)

// maxStateDir leaves room for /s/<16 digits>/ and a socket's name in the 107
// bytes a unix socket's path may have.
const maxStateDir = 83

// stateDir is the place of one runner on this machine. Holding its lock is
// being the one runner there.
type stateDir struct {
	path   string
	lock   *os.File
	hostID string
}

// openStateDir makes the directory if need be and locks it. Error:
// *RefusedError when another runner lives there.
func openStateDir(path string) (*stateDir, error) {
	if len(path) > maxStateDir {
		return nil, fmt.Errorf("state directory %s has %d bytes, and sockets lie below it: %d at most", path, len(path), maxStateDir)
	}
	if err := os.MkdirAll(filepath.Join(path, dirSlots), 0o700); err != nil {
		return nil, unusable(path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, fileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := takeLock(lock); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &RefusedError{Why: fmt.Sprintf("another runner lives in the state directory %s; stop it, or give this one another state_dir", path)}
		}
		return nil, errors.Join(err, lock.Close())
	}
	d := &stateDir{path: path, lock: lock}
	if d.hostID, err = d.readOrMake(fileHostID); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory: %w", err), lock.Close())
	}
	return d, nil
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
	lock, err := os.OpenFile(filepath.Join(path, fileLock), os.O_RDWR, 0)
	if err != nil {
		return unusable(path, err)
	}
	return lock.Close()
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
	text, err := os.ReadFile(filepath.Join(d.path, name))
	if err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := rand.Text()
	return id, replaceFile(filepath.Join(d.path, name), []byte(id+"\n"))
}

// incarnation is the last life that registered from here, empty for none.
func (d *stateDir) incarnation() (string, error) {
	text, err := os.ReadFile(filepath.Join(d.path, fileIncarnation))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
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

// newSuffix is that of a file that is being written.
const newSuffix = ".new"

// replaceFile writes a file in one step. It does not sync: what these files
// say is about processes and lives that a crash of the machine ends as well.
func replaceFile(path string, text []byte) error {
	next := path + newSuffix
	err := os.WriteFile(next, text, 0o600)
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next) // half of it would only fill a full disk
	}
	return err
}
