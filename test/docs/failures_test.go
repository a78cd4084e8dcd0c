package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
)

// TestFailuresNameTestsThatExist also holds the page complete: each of its
// rows names a test, and each test of test/chaos has a row.
func TestFailuresNameTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := allTests(t)
	named := map[string]bool{}
	for _, m := range testName.FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
		if exist[m[1]] == "" {
			t.Errorf("docs/failures.md names %s, which is no test", m[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("docs/failures.md names %d tests", len(named))
	}
	for line := range strings.Lines(string(page)) {
		row := strings.HasPrefix(line, "| ") && !strings.HasSuffix(line, "| shown by |\n")
		if row && !testName.MatchString(line) {
			t.Errorf("a row names no test: %s", line)
		}
	}
	for name, path := range exist {
		if filepath.Base(filepath.Dir(path)) == "chaos" && !named[name] {
			t.Errorf("%s of %s has no row in docs/failures.md", name, path)
		}
	}
}

// allTests are the tests of the whole project, with their files.
func allTests(t *testing.T) map[string]string {
	t.Helper()
	exist := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			exist[m[1]] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return exist
}

// TestSecurityNamesTestsThatExist: each row of who may do what names its test.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	exist, rows := allTests(t), 0
	for line := range strings.Lines(string(page)) {
		names := testName.FindAllStringSubmatch(line, -1)
		for _, m := range names {
			if exist[m[1]] == "" {
				t.Errorf("docs/security.md names %s, which is no test", m[1])
			}
		}
		if strings.HasPrefix(line, "| ") && !strings.HasSuffix(line, "| shown by |\n") {
			if rows++; len(names) == 0 {
				t.Errorf("a row names no test: %s", line)
			}
		}
	}
	if rows < 15 {
		t.Errorf("docs/security.md has %d rows", rows)
	}
}
