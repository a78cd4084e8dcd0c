package statedir

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stream-api/internal/regular"
	"stream-api/store"
)

func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }() // a lock of this test alone
	good := Memo{Reservation: store.Reservation{Key: "s1", Instance: "work", Token: "1-a"}}
	if err := d.WriteMemo(good); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(d.slots(), "0123456789abcdef")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		filepath.Join(d.path, fileTombstones+regular.NewSuffix), filepath.Join(d.path, "own.new"),
		d.memoPath("2-b") + regular.NewSuffix, d.memoPath("3-c"), broken + memoSuffix,
	} {
		if err := os.WriteFile(name, []byte(`{"reservation":`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Sweep(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, pattern := range []string{"*new", "s/*"} {
		names, err := filepath.Glob(filepath.Join(d.path, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			left = append(left, filepath.Base(name))
		}
	}
	want := []string{"own.new", "0123456789abcdef", "0123456789abcdef.json", tokenName("1-a") + memoSuffix}
	slices.Sort(left)
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %v; want %v", left, want)
	}
}
