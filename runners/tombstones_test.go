package runners

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
)

func TestAFullDiskForgetsNoTombstone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tombstones")
	now := time.Unix(1_800_000_000, 0)
	s, err := openTombstones(path, now, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bury("1-before", now); err != nil {
		t.Fatal(err)
	}
	disk := s.file
	s.file = fullDisk{disk}
	for range 2 {
		if err := s.bury("2-full", now); !errors.Is(err, unix.ENOSPC) || s.has("2-full") {
			t.Errorf("a tombstone that was not written: %v, believed %v", err, s.has("2-full"))
		}
	}
	s.file = disk
	for _, token := range []string{"2-full", "3-after"} {
		if err := s.bury(token, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
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
		if err := s.bury("4-next"+more[:min(1, len(more))], now); err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = openTombstones(path, now, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"1-before", "2-full", "3-after", "4-next", "4-next1"} {
		if !s.has(token) {
			t.Errorf("%s is forgotten", token)
		}
	}
	if err := s.close(); err != nil {
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
	if len(s.dead) != 2 || !s.has("1-a") || !s.has("3-c") {
		t.Errorf("read as %v", s.dead)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheNewerHalfOfTheTombstonesIsKept(t *testing.T) {
	t.Parallel()
	s := &tombstones{dead: map[string]int64{}}
	for i := range 100 {
		s.dead[fmt.Sprintf("%03d-x", i)] = 1_800_000_000 // all of one second
	}
	s.dead["000-late"] = 1_800_000_001
	s.forgetHalf()
	if len(s.dead) != 51 || !s.has("099-x") || !s.has("050-x") || s.has("049-x") || !s.has("000-late") {
		t.Errorf("%d are left: %v", len(s.dead), s.dead)
	}
}
