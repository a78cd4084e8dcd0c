package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoadBytes: no text may crash or hang the loader, and whatever is wrong
// has a place. What is accepted can be described and loaded over itself.
func FuzzLoadBytes(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.yaml", "../deploy/examples/*/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal("no seeds match ", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("${file:")) {
			t.Skip("would look into the files of this machine")
		}
		c, err := load(testHostname, File{Name: "fuzz.yaml", Data: data})
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("no *Error: %v", err)
			}
			checkPositions(t, wrong)
			_ = wrong.Error() // must not crash on any line and column
			return
		}
		if err := c.Describe(io.Discard); err != nil {
			t.Fatal(err)
		}
		file := File{Name: "fuzz.yaml", Data: data}
		again, err := load(testHostname, file, file)
		if err != nil {
			t.Fatalf("accepted once, refused over itself: %v", err)
		}
		a, b := c.Network, again.Network
		if a.Name != b.Name || a.Redis.String() != b.Redis.String() || a.Namespace != b.Namespace || c.StateDir != again.StateDir {
			t.Fatalf("over itself it differs: %+v, %+v", a, b)
		}
	})
}
