package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stream-api/internal/notices"
)

// copyTree puts the files that git knows, as they lie here, below dir.
func copyTree(t *testing.T, dir string) {
	t.Helper()
	list := command(t, "../..", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	var stderr bytes.Buffer
	c.Dir, c.Env, c.Stderr = dir, append(os.Environ(), env...), &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Two builds share nothing but the sources: another directory, other times of
// files, and with `make reproducible` another cache, which compiles everything
// once more. Whoever has the sources can see that a release is made of them and
// of nothing else.
func TestTwoBuildsAreEqual(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another", "place")
	var sums []string
	for _, dir := range []string{first, second} {
		copyTree(t, dir)
		var env []string
		if dir == second && os.Getenv("STREAM_API_TEST_OWN_CACHE") != "" {
			env = []string{"GOCACHE=" + filepath.Join(t.TempDir(), "cache")}
		}
		command(t, dir, env, "make", "--no-print-directory", "build", "VERSION=v0")
		sums = append(sums, sum(t, filepath.Join(dir, "bin", "stream-api")))
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of the same sources differ: %s and %s", sums[0], sums[1])
	}
}

// bill is what this test reads of a CycloneDX bill of materials.
type bill struct {
	BOMFormat   string
	SpecVersion string
	Components  []struct {
		Name, Version string
		Evidence      struct{ Licenses []any }
	}
}

func TestTheBillOfMaterialsNamesWhatTheNoticesName(t *testing.T) {
	dir := t.TempDir()
	copyTree(t, dir)
	binary, out := filepath.Join(dir, "stream-api"), filepath.Join(dir, "bom.json")
	command(t, dir, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/stream-api")
	command(t, dir, nil, "./test/sbom.sh", binary, "v0", out)
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(content, &b); err != nil {
		t.Fatal(err)
	}
	if b.BOMFormat != "CycloneDX" || b.SpecVersion == "" {
		t.Errorf("not a CycloneDX bill: %q %q", b.BOMFormat, b.SpecVersion)
	}
	named := map[string]string{}
	for _, c := range b.Components {
		named[c.Name] = c.Version
		if len(c.Evidence.Licenses) == 0 && c.Name != "std" {
			t.Errorf("%s: its licence is not told", c.Name)
		}
	}
	// Modules that only another processor links are in the notices alone.
	for _, m := range notices.Modules() {
		version, here := named[m.Path]
		delete(named, m.Path)
		if !here || m.Version != "" && version != m.Version {
			t.Errorf("%s %s of the notices is %q in the bill", m.Path, m.Version, version)
		}
	}
	for name, version := range named {
		t.Errorf("%s %s is linked, and the notices lack it", name, version)
	}
}
