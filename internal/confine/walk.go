package confine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mark is what is known of one place.
type mark int

const (
	unmarked mark = iota // on the way to a marked one
	hidden               // with all below that has no mark of its own
	readable             // by the child; never to be written
	open                 // as if there were no policy
)

// node is a place on the way to a mark, or a mark.
type node struct {
	mark mark
	next map[string]*node
}

// set marks a path that has no links in it.
func (n *node) set(path string, m mark) {
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		if n.next == nil {
			n.next = map[string]*node{}
		}
		if n.next[name] == nil {
			n.next[name] = &node{}
		}
		n = n.next[name]
	}
	n.mark = max(n.mark, m)
}

// controlGroups can be read, but nothing be put into them: the group of another slot is another way to kill it.
const controlGroups = "/sys/fs/cgroup"

// plan is the tree of all marks. mine are the places of one slot that are its child's own.
func (p Policy) plan(mine []string) *node {
	root := &node{}
	root.set(real(controlGroups), readable)
	for _, at := range p.places() {
		root.set(at, hidden)
	}
	for _, path := range p.Own {
		root.set(real(path), readable)
	}
	for _, path := range mine {
		root.set(real(path), open)
	}
	return root
}

// walker gives a ruleset what the plan leaves.
type walker struct {
	ruleset int
	handled uint64
	rules   int
	closed  []string // directories beside hidden places that cannot be listed, so that nothing in them could be permitted
}

// walk permits what lies at and below dir, which is open as fd.
func (w *walker) walk(fd int, dir string, n *node, concealed bool) error {
	for name, next := range n.next {
		if err := w.descend(fd, filepath.Join(dir, name), next, concealed); err != nil {
			return err
		}
	}
	if concealed {
		return nil
	}
	return w.beside(fd, dir, n)
}

// descend goes on to one place that the plan knows.
func (w *walker) descend(parent int, path string, n *node, concealed bool) error {
	fd, err := openPlace(parent, filepath.Base(path))
	if err != nil || fd < 0 {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // opened for its place alone
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return nil // put there since the plan was made
	case n.mark == open:
		return w.permit(fd, path, isDir, ^uint64(0))
	case n.mark == readable:
		return w.permit(fd, path, isDir, rightsToRead)
	case isDir:
		return w.walk(fd, path, n, concealed || n.mark == hidden)
	}
	return nil // hidden, or no directory although something was to lie in it
}

// beside permits everything in a directory that the plan does not know.
func (w *walker) beside(fd int, dir string, n *node) error {
	list, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		w.closed = append(w.closed, dir)
		return nil
	}
	defer func() { _ = unix.Close(list) }() // only read from
	return entries(list, func(name string, kind byte) error {
		if kind == unix.DT_LNK || n.next[name] != nil {
			return nil
		}
		at, err := openPlace(fd, name)
		if err != nil || at < 0 {
			return err
		}
		defer func() { _ = unix.Close(at) }() // opened for its place alone
		if kind == unix.DT_UNKNOWN {          // some file systems do not say
			var st unix.Stat_t
			if err := unix.Fstat(at, &st); err != nil {
				return fmt.Errorf("look at %s: %w", filepath.Join(dir, name), err)
			}
			kind = byte(st.Mode >> 12) // as DT_ is made
		}
		return w.permit(at, filepath.Join(dir, name), kind == unix.DT_DIR, ^uint64(0))
	})
}

func (w *walker) permit(fd int, path string, isDir bool, rights uint64) error {
	rights &= w.handled
	if !isDir {
		rights &= rightsOfFiles
	}
	err := addRule(w.ruleset, fd, rights)
	switch {
	case err == nil:
		w.rules++
		return nil
	case errors.Is(err, unix.EBADFD): // of a file system that Landlock leaves alone
		return nil
	case errors.Is(err, unix.EINVAL) && isDir: // no directory any more
		return nil
	}
	return fmt.Errorf("permit %s: %w", path, err)
}

// openPlace opens what is called name in a directory without touching it, a link as itself; -1 for what is not there any more or
// cannot be reached.
func openPlace(parent int, name string) (int, error) {
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOTDIR):
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("open %s: %w", name, err)
	}
	return fd, nil
}

// Of struct linux_dirent64: where the length of an entry, its kind and its name begin.
const (
	direntLength = 16
	direntKind   = 18
	direntName   = 19
)

// entries calls use with the name and the kind (DT_DIR…) of each entry of a directory. It holds few at a time: there may be a
// hundred thousand.
func entries(dir int, use func(name string, kind byte) error) error {
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.Getdents(dir, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		for rest := buf[:n]; len(rest) > direntName; {
			length := int(binary.NativeEndian.Uint16(rest[direntLength:]))
			if length <= direntName || length > len(rest) {
				return fmt.Errorf("the kernel's list of a directory has an entry of %d bytes", length)
			}
			name, _, _ := bytes.Cut(rest[direntName:length], []byte{0})
			if text := string(name); text != "." && text != ".." {
				if err := use(text, rest[direntKind]); err != nil {
					return err
				}
			}
			rest = rest[length:]
		}
	}
}
