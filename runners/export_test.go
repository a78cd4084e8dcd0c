package runners

import (
	"io"

	"golang.org/x/sys/unix"
)

// fullDisk takes half of what is written to it.
type fullDisk struct{ io.WriteCloser }

func (d fullDisk) Write(p []byte) (int, error) {
	n, err := d.WriteCloser.Write(p[:len(p)/2])
	if err == nil {
		err = unix.ENOSPC
	}
	return n, err
}

// FillDisk has no tombstone written any more, until the disk is cleared.
func (r *Runner) FillDisk() (clear func()) {
	t := r.tombstones
	t.mu.Lock()
	defer t.mu.Unlock()
	whole := t.file
	t.file = fullDisk{whole}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.file = whole
	}
}

// TokenName is a slot's directory below s.
func TokenName(token string) string { return tokenName(token) }
