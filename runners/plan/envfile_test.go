package plan

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestEnvFilesAreReadAndSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "env")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# comment\n\nA=1\nexport B=\"two words\"\n C = 'x' \nD=\nE=a=b\n")
	vars, err := readEnvFile(file)
	want := map[string]string{"A": "1", "B": "two words", "C": "x", "D": "", "E": "a=b"}
	if err != nil || !maps.Equal(vars, want) {
		t.Errorf("%v, %v; want %v", vars, err, want)
	}
	e := &Exec{Path: "/x", EnvFile: []string{file}}
	p, err := e.Resolve(Subject{Key: "s1", Instance: "work.1"}, Values{}, func(stream.Ref) (string, bool, error) { return "", false, nil })
	if err != nil || !slices.Contains(p.Mask, "two words") || !slices.Contains(p.Env, "B=two words") {
		t.Errorf("%+v, %v", p, err)
	}
	write(stream.ByteOrderMark + "A=1\nB=2\n")
	if vars, err := readEnvFile(file); err != nil || !maps.Equal(vars, map[string]string{"A": "1", "B": "2"}) {
		t.Errorf("with a byte order mark: %v, %v", vars, err)
	}
	for _, bad := range []string{"just words\n", "1A=x\n", "=x\n", strings.Repeat("x", maxEnvFile+1)} {
		write(bad)
		if _, err := readEnvFile(file); err == nil || strings.Contains(err.Error(), "words") {
			t.Errorf("%.20q: %v; want an error that does not quote it", bad, err)
		}
	}
	if _, err := readEnvFile(dir); err == nil {
		t.Error("a directory is read")
	}
}
