package statedir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"stream-api/internal/regular"
)

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

func (d *Dir) readOrMake(name string) (string, error) {
	before := len(d.Odd)
	text, err := d.read(name)
	if err != nil || text != "" {
		return text, err
	}
	id := rand.Text()
	err = replaceFile(filepath.Join(d.path, name), []byte(id+"\n"))
	if err != nil && len(d.Odd) > before {
		// The life before is known by its incarnation, too.
		d.Odd = append(d.Odd, err.Error())
		err = nil
	}
	return id, err
}

// read is the text of a file with one line; empty if there is none of ours.
func (d *Dir) read(name string) (string, error) {
	text, err := readFile(filepath.Join(d.path, name), maxName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, regular.ErrOdd), errors.Is(err, regular.ErrHangs):
		d.Odd = append(d.Odd, err.Error())
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// replaceFile writes a file in one step. It does not sync: what these files
// say is about processes and lives that a crash of the machine ends as well.
func replaceFile(path string, text []byte) error { return regular.Replace(path, text, 0o600) }
