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
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// inTree are names that are meant as files or folders of the tree.
	inTree = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+$|^[\w.-]+\.(go|lua|js|md|mod|sh)$`)
	// claims are names of tests, whole or as the beginning of some.
	claims = regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`)
)

// The page leads people to files and tests; it has to follow when they move.
func TestContributingNamesFilesAndTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, m := range quoted.FindAllStringSubmatch(string(page), -1) {
		if !inTree.MatchString(m[1]) {
			continue
		}
		files++
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			t.Errorf("CONTRIBUTING.md names %s, which is not there", m[1])
		}
	}
	if files < 40 {
		t.Errorf("CONTRIBUTING.md names only %d files", files)
	}

	var tests strings.Builder
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tests.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range claims.FindAllString(string(page), -1) {
		if !strings.Contains(tests.String(), "\nfunc "+name) {
			t.Errorf("CONTRIBUTING.md names %s, which begins no test", name)
		}
	}
	for line := range strings.Lines(string(page)) {
		_, rest, is := strings.Cut(line, "go test ")
		for _, word := range strings.Fields(rest) {
			if !is || !strings.HasPrefix(word, "./") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", word)); err != nil {
				t.Errorf("CONTRIBUTING.md tests %s, which is not there", word)
			}
		}
	}
}
