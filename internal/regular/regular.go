package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrOdd: something else than a regular file lies there, or one that is larger than it can be.
var ErrOdd = errors.New("no file of ours")

// Open opens a regular file with the flags of os.OpenFile. It gives ErrOdd for a link, a directory, a pipe, a socket and
// whatever else is none. os.O_TRUNC is refused: it would empty the file before it is looked at.
func Open(path string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&os.O_TRUNC != 0 {
		return nil, fmt.Errorf("open %s: would be emptied before it is looked at", path)
	}
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, perm)
	if err != nil {
		return nil, odd(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is %s: %w", path, kind(info.Mode()), ErrOdd)
	}
	if err == nil {
		err = unix.SetNonblock(int(f.Fd()), false) // whoever inherits it expects no less
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// odd says what lies at path if that is why it was not opened.
func odd(path string, err error) error {
	if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.ENXIO) {
		return err
	}
	info, statErr := os.Lstat(path)
	if statErr != nil || info.Mode().IsRegular() {
		return err // it changed meanwhile, or a directory on the way to it is the reason
	}
	return fmt.Errorf("%s is %s: %w", path, kind(info.Mode()), ErrOdd)
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "no file but " + m.Type().String()
}

// Read reads the whole of a regular file of at most limit bytes. A larger one gives ErrOdd, and nothing of it is read.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return whole(f, path, limit)
}

// ReadBelow is Read for a name below dir that somebody else chose: it leads to nothing outside of dir, whatever links lie
// on the way.
func ReadBelow(dir, name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only looked into
	path := filepath.Join(dir, name)
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: %w", path, kind(info.Mode()), ErrOdd)
	}
	var f *os.File
	if err == nil {
		f, err = root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // it may be a pipe by now
	}
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: failed.Err}
	}
	if err != nil {
		return nil, err
	}
	return whole(f, path, limit)
}

// ReadGiven reads the whole of a file that an operator named, of at most limit bytes: links on the way count, and it waits
// on no pipe.
func ReadGiven(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return text, err
}

// whole reads all of a file, and closes it.
func whole(f *os.File, path string, limit int64) ([]byte, error) {
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is %s: %w", path, kind(info.Mode()), ErrOdd)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read: %w", path, info.Size(), limit, ErrOdd)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// Head reads at most the first limit bytes of a regular file, however large it is.
func Head(path string, limit int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, limit))
}

// NewSuffix is that of a file that Replace is writing.
const NewSuffix = ".new"

// Replace writes a file in one step, so that a reader sees the old or the new text. A link or a pipe at path is taken
// away and not followed; a directory gives an error. It does not sync: what a crash of the machine may lose it may not
// be used for. It may not be called for one path by two at once.
func Replace(path string, text []byte, perm fs.FileMode) error {
	return replace(path, text, perm, func(*os.File) error { return nil })
}

// Keep is Replace for what must outlive a crash of the machine: the text is on the disk before it has the name, and the
// name when Keep returns.
func Keep(path string, text []byte, perm fs.FileMode) error {
	if err := replace(path, text, perm, (*os.File).Sync); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func replace(path string, text []byte, perm fs.FileMode, settle func(*os.File) error) error {
	next := path + NewSuffix
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // a directory with something in it
	}
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, perm)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = settle(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next) // half of it would only fill a full disk
	}
	return err
}

// SetAside moves what is no regular file at path out of the way, to a name that is not taken, and returns that name;
// empty if there was nothing odd. It tells by the name alone, so that nothing is opened.
func SetAside(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.odd%d", path, n)
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		return aside, os.Rename(path, aside)
	}
}
