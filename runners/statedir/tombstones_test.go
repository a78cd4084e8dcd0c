package statedir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
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

func TestTombstonesOutliveTheRunner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	now := time.Unix(1_800_000_000, 0)
	open := func() *Tombstones {
		t.Helper()
		s, err := openTombstones(path, now, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	for _, token := range []string{"1-a", "2-b", "1-a"} {
		if err := s.Bury(token, now); err != nil {
			t.Fatal(err)
		}
	}
	if s.Has("3-c") || !s.Has("1-a") {
		t.Error("what is buried is mixed up")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("nonsense\n1800000000 9-half"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if s = open(); !s.Has("1-a") || !s.Has("2-b") || s.Has("9-half") {
		t.Errorf("read back as %v", s.dead)
	}
	now = now.Add(tombstoneAge + time.Hour)
	if s = open(); s.Has("1-a") || len(s.dead) != 0 {
		t.Errorf("after a day %v", s.dead)
	}
}

func TestAFullDiskForgetsNoTombstone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	now := time.Unix(1_800_000_000, 0)
	s, err := openTombstones(path, now, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bury("1-before", now); err != nil {
		t.Fatal(err)
	}
	disk := s.file
	s.file = fullDisk{disk}
	for range 2 {
		if err := s.Bury("2-full", now); !errors.Is(err, unix.ENOSPC) || s.Has("2-full") {
			t.Errorf("a tombstone that was not written: %v, believed %v", err, s.Has("2-full"))
		}
	}
	s.file = disk
	for _, token := range []string{"2-full", "3-after"} {
		if err := s.Bury(token, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// The next life, whose disk has no room for a file rewritten, either.
	if err := os.MkdirAll(filepath.Join(path+regular.NewSuffix, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"", "1800000000 9-ha"} {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(more); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = openTombstones(path, now, zerolog.Nop()); err != nil {
			t.Fatal(err)
		}
		if err := s.Bury("4-next"+more[:min(1, len(more))], now); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = openTombstones(path, now, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"1-before", "2-full", "3-after", "4-next", "4-next1"} {
		if !s.Has(token) {
			t.Errorf("%s is forgotten", token)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenLineOfTombstonesIsPassedOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	if err := os.WriteFile(path, []byte("1800000000 1-a\n\n18000\n1800000000 2-b1800000001 2-bc\n1800000000 3-c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openTombstones(path, time.Unix(1_800_000_000, 0), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.dead) != 2 || !s.Has("1-a") || !s.Has("3-c") {
		t.Errorf("read as %v", s.dead)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheNewerHalfOfTheTombstonesIsKept(t *testing.T) {
	t.Parallel()
	s := &Tombstones{dead: map[string]int64{}}
	for i := range 100 {
		s.dead[fmt.Sprintf("%03d-x", i)] = 1_800_000_000 // all of one second
	}
	s.dead["000-late"] = 1_800_000_001
	s.forgetHalf()
	if len(s.dead) != 51 || !s.Has("099-x") || !s.Has("050-x") || s.Has("049-x") || !s.Has("000-late") {
		t.Errorf("%d are left: %v", len(s.dead), s.dead)
	}
}
