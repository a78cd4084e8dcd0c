package supervisor

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errNoCgroup: there is no cgroup v2 directory that this process may use.
var errNoCgroup = errors.New("no delegated cgroup v2")

// cgroup is a cgroup v2 directory for one slot's processes. What is born in it stays in it, whatever sessions it makes, and
// one write ends all of it at once.
//
// Processes live in a leaf below it, and there is a new leaf after each kill: kernels from 6.14 on (seen with 6.18)
// remember that a cgroup was killed and compare that with the parent's own cgroup at each clone into it, so that whatever
// is later born into a once killed leaf is killed at birth.
type cgroup struct {
	path string

	mu     sync.Mutex
	leaf   *os.File
	number int
	killed bool // the leaf
}

// makeCgroup makes the cgroup of a slot's directory below base.
func makeCgroup(base, slotDir string) (*cgroup, error) {
	name := fnv.New64a()
	_, _ = name.Write([]byte(slotDir)) // a hash does not fail
	c := &cgroup{path: filepath.Join(base, fmt.Sprintf("stream-api-%x", name.Sum64())), killed: true}
	if err := os.Mkdir(c.path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	_, err := c.place()
	if err == nil {
		if err = unix.Access(filepath.Join(c.leaf.Name(), "cgroup.kill"), unix.W_OK); err == nil { // since Linux 5.14
			return c, nil
		}
	}
	return nil, errors.Join(err, c.remove())
}

// place returns a file descriptor of the directory the next process is to be born in.
func (c *cgroup) place() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.killed {
		return int(c.leaf.Fd()), nil
	}
	c.number++
	dir := filepath.Join(c.path, strconv.Itoa(c.number))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return -1, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return -1, err
	}
	if c.leaf != nil {
		_ = c.leaf.Close()
		_ = unix.Rmdir(c.leaf.Name()) // if the kernel still holds its last member, remove finds it
	}
	c.leaf, c.killed = f, false
	return int(f.Fd()), nil
}

// kill ends everyone in the leaf and in what they made below it.
func (c *cgroup) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	return killCgroup(c.leaf.Name())
}

// remove takes the empty cgroup away. The kernel lets go of its last member a moment after that was reaped.
func (c *cgroup) remove() error {
	if c.leaf != nil {
		_ = c.leaf.Close() // only held for its number
	}
	return removeCgroup(c.path)
}

func killCgroup(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "cgroup.kill"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("1")
	return errors.Join(err, f.Close())
}

func removeCgroup(dir string) error {
	var err error
	for range 50 {
		// What the tree made below it is empty too; deepest first.
		var below []string
		_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, walkErr error) error {
			if walkErr == nil && d.IsDir() {
				below = append(below, p)
			}
			return nil // what vanished meanwhile needs no removing
		})
		err = nil
		for i := len(below) - 1; i >= 0; i-- {
			err = errors.Join(err, unix.Rmdir(below[i]))
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		pause := time.NewTimer(10 * time.Millisecond)
		<-pause.C
	}
	return err
}

// findCgroup returns the cgroup v2 directory of the calling process, if it may make others in it: where systemd delegated
// it to the unit (Delegate=yes), where it belongs to our unprivileged user, or where it is the root of a container without
// systemd. Anywhere else it is somebody else's tree. For who lives in the hosts' leaf it is the one above, which has the
// slots. root is prefixed to all paths, "" for the real ones.
func findCgroup(root string) (string, error) {
	own, err := baseCgroup(root)
	if err != nil {
		return "", err
	}
	mount, err := cgroupMount(root)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(own, "/..") {
		return "", fmt.Errorf("%w: %s lies outside of what this container sees", errNoCgroup, own)
	}
	dir := filepath.Join(root, mount, own)
	for _, p := range []string{dir, filepath.Join(dir, "cgroup.procs")} {
		if err := unix.Access(p, unix.W_OK); err != nil {
			return "", fmt.Errorf("%w: %s: %w", errNoCgroup, p, err)
		}
	}
	if !delegated(root, filepath.Join(root, mount), own) {
		return "", fmt.Errorf("%w: %s is writable but not delegated (Delegate=yes)", errNoCgroup, dir)
	}
	return dir, nil
}

// baseCgroup is the calling process's own cgroup, or the one above if that is the hosts' leaf.
func baseCgroup(root string) (string, error) {
	own, err := ownCgroup(root)
	if err == nil && path.Base(own) == hostLeaf {
		own = path.Dir(own)
	}
	return own, err
}

// ownCgroup reads the v2 line of /proc/self/cgroup.
func ownCgroup(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "/proc/self/cgroup"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if own, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "0::"); ok && strings.HasPrefix(own, "/") {
			return own, nil
		}
	}
	return "", fmt.Errorf("%w: none in /proc/self/cgroup", errNoCgroup)
}

// cgroupMount finds where the v2 hierarchy is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside v1.
func cgroupMount(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "/proc/self/mountinfo"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 /root /mount/point options [tags] - type source superoptions
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) >= 5 && len(kind) > 0 && kind[0] == "cgroup2" && fields[3] == "/" {
			return fields[4], nil
		}
	}
	return "", fmt.Errorf("%w: none mounted", errNoCgroup)
}

func delegated(root, mount, own string) bool {
	for dir := own; ; dir = path.Dir(dir) {
		if markedDelegated(filepath.Join(mount, dir)) {
			return true
		}
		if dir == "/" {
			break
		}
	}
	if os.Geteuid() != 0 {
		return true // writable for us, and we are nobody: it was given to us
	}
	_, err := os.Stat(filepath.Join(root, "/run/systemd/system"))
	return own == "/" && errors.Is(err, os.ErrNotExist)
}

// markedDelegated looks for the attributes systemd sets on what it delegates.
func markedDelegated(dir string) bool {
	var value [8]byte
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}
