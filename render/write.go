package render

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// old is the file as it lies there.
type old struct {
	path string // links followed: what is replaced
	text []byte
	info fs.FileInfo // nil: there is none yet
}

// look reads the file. What is no regular file is refused: it cannot be replaced in one step.
func look(path string) (old, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, linkErr := os.Lstat(path); linkErr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return old{}, fmt.Errorf("%s is a link to what is not there: make it, or take the link away", path)
		}
		return old{path: path}, nil
	}
	if err != nil {
		return old{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return old{}, err
	}
	if !info.Mode().IsRegular() {
		return old{}, fmt.Errorf("%s is no regular file, so nothing can be put in its place in one step", path)
	}
	text, err := os.ReadFile(real)
	return old{path: real, text: text, info: info}, err
}

// replace puts a text in the file's place in one step, with its mode and, as far as we may, its owner: a reader sees the
// old text or the new one, and so does who comes after a power cut. It may not be called for one file by two at once.
func (o old) replace(text []byte, changed time.Time) (err error) {
	next := filepath.Join(filepath.Dir(o.path), "."+filepath.Base(o.path)+".new")
	if err := ignoreGone(os.Remove(next)); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if o.info != nil {
		perm = 0o600 // until it is dressed
	}
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreGone(os.Remove(next))) // half of it would only fill a full disk
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = o.dress(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Chtimes(next, time.Time{}, changed); err != nil {
		return err
	}
	if err = os.Rename(next, o.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(o.path))
}

// dress gives the new file the mode and the owner of the old one.
func (o old) dress(next *os.File) error {
	if o.info == nil {
		return nil
	}
	if s, ok := o.info.Sys().(*syscall.Stat_t); ok {
		// Who may not give it away goes on with a file of his own.
		if err := next.Chown(int(s.Uid), int(s.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return next.Chmod(o.info.Mode().Perm())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// due is the note, beside the file, that whoever reads it has yet to be told of its last change.
func (o old) due() string {
	return filepath.Join(filepath.Dir(o.path), "."+filepath.Base(o.path)+".due")
}

func (o old) isDue() bool {
	_, err := os.Lstat(o.due())
	return err == nil
}

// owe writes the note.
func (o old) owe() error {
	f, err := os.OpenFile(o.due(), os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(o.path)))
}

// settle takes the note away.
func (o old) settle() error { return ignoreGone(os.Remove(o.due())) }
