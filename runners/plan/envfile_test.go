package plan

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine"
	"stream-api/stream"
)

func parsed(t *testing.T, texts ...string) []stream.Template {
	t.Helper()
	var out []stream.Template
	for _, text := range texts {
		parsed, err := stream.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parsed)
	}
	return out
}

func unreadable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

func nothingHere(stream.Ref) (string, bool, error) { return "", false, nil }

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
	vars, err := envFile{path: file}.read()
	want := map[string]string{"A": "1", "B": "two words", "C": "x", "D": "", "E": "a=b"}
	if err != nil || !maps.Equal(vars, want) {
		t.Errorf("%v, %v; want %v", vars, err, want)
	}
	e := &Exec{Path: "/x", EnvFile: parsed(t, file)}
	p, err := e.Resolve(Subject{Key: "s1", Instance: "work.1"}, Values{}, nothingHere)
	if err != nil || !slices.Contains(p.Mask, "two words") || !slices.Contains(p.Env, "B=two words") {
		t.Errorf("%+v, %v", p, err)
	}
	write(stream.ByteOrderMark + "A=1\nB=2\n")
	if vars, err := (envFile{path: file}).read(); err != nil || !maps.Equal(vars, map[string]string{"A": "1", "B": "2"}) {
		t.Errorf("with a byte order mark: %v, %v", vars, err)
	}
	for _, bad := range []string{"just words\n", "1A=x\n", "=x\n", strings.Repeat("x", maxEnvFile+1)} {
		write(bad)
		if _, err := (envFile{path: file}).read(); err == nil || strings.Contains(err.Error(), "words") {
			t.Errorf("%.20q: %v; want an error that does not quote it", bad, err)
		}
	}
	if _, err := (envFile{path: dir}).read(); err == nil {
		t.Error("a directory is read")
	}
}

func TestAStreamChoosesOnlyAmongTheFilesOfTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"outside": "X=outside", "env/s1.env": "X=one", "env/a/s2.env": "X=two", "env/s-host.env": "X=host", "env/.env": "X=nobody", "env/x": "X=x",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := filepath.Join(dir, "env")
	for name, to := range map[string]string{"link": "x", "out": "../outside", "away": ".."} {
		if err := os.Symlink(to, filepath.Join(env, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(env, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file, key, value string
		want             string // what X is, or in the error
		fails            bool
	}{
		{"${stream:key}.env", "s1", "", "one", false},
		{"${stream:key}.env", "a/s2", "", "two", false},
		{"s-${host:name}.env", "s1", "", "host", false},
		{"${host:name}/../${stream:v}", "s1", "x", "plainly", true},
		{"${stream:none:-x}", "s1", "", "x", false},
		{"${stream:v}", "s1", "x", "x", false},
		{"${stream:key}.env", "s2", "", "open " + env + "/s2.env: no such file", true},
		{"${stream:none}.env", "s1", "", "${stream:none}: no such value", true},
		{"${stream:v}", "s1", "../outside", "is refused", true},
		{"${stream:v}", "s1", "a/../x", "is refused", true},
		{"${stream:v}", "s1", "..", "is refused", true},
		{"${stream:v}", "s1", ".", "is refused", true},
		{"${stream:v}", "s1", "", "is refused", true},
		{"${stream:v}", "s1", "/x", "is refused", true},
		{"${stream:v}", "s1", dir + "/outside", "is refused", true},
		{"a/${stream:v}/s2.env", "s1", "", "is refused", true},
		{"${stream:none:-../outside}", "s1", "", "is refused", true},
		{"${stream:v}", "s1", "x\x1b[2J", "is refused", true},
		{"${stream:v}", "s1", "x\xff", "is refused", true},
		{"${stream:v}", "s1", "x\x00", "NUL", true},
		{"${stream:v}", "s1", "link", "symbolic link", true},
		{"${stream:v}", "s1", "out", "symbolic link", true},
		{"${stream:v}", "s1", "away/outside", "escapes", true},
		{"${stream:v}", "s1", "pipe", "a pipe", true},
		{"${stream:v}", "s1", "a", "a directory", true},
		{"${stream:v}", "s1", strings.Repeat("a", stream.MaxValueBytes), "too long", true},
	} {
		e := &Exec{Path: "/x", EnvFile: parsed(t, env+"/"+test.file), Confine: confine.Policy{Level: confine.Hide, Hidden: []string{env}}}
		at := Subject{Key: test.key, Instance: "work.1", Host: "host"}
		p, err := e.Resolve(at, Values{Vars: map[string]string{"v": test.value}}, func(ref stream.Ref) (string, bool, error) { return at.Host, ref.Scope == "host", nil })
		if test.fails {
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsFunc(err.Error(), unreadable) {
				t.Errorf("%s of %q, %.40q: %v, %v; want an error with %q", test.file, test.key, test.value, p.Env, err, test.want)
			}
			continue
		}
		if err != nil || !slices.Contains(p.Env, "X="+test.want) {
			t.Errorf("%s of %q, %q: %v, %v; want X=%s", test.file, test.key, test.value, p.Env, err, test.want)
		}
		if len(p.Confine.Own) != 1 || p.Confine.Hiding(p.Confine.Own[0]) != "" || p.Confine.Hiding(env+"/.env") == "" {
			t.Errorf("%s: readable are %v", test.file, p.Confine)
		}
		if len(e.Confine.Own) != 0 {
			t.Errorf("the file of one slot is every slot's: %v", e.Confine.Own)
		}
	}
}

func TestBeforeWhatAStreamChoosesStandsADirectory(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"/e/x": "/e/x false", "/e/${stream:key}": "/e true", "/e/a-${stream:key}": "/e true", "/e/${host:name}/${stream:key}": "/e/h true", "/e/${host:name}": "/e/h false",
		"/e/${host:none:-x}/${place:index}/y": "/e/x true", "${host:dir}/${stream:key}.env": "/h true",
		"${stream:key}.env": "must stand a directory", "/${stream:key}.env": "must stand a directory", "e/${stream:key}.env": "must stand a directory", "env${slot:copy}": "must stand a directory",
		"/e/../f/${stream:key}": "plainly, as /f", "/e//f/${stream:key}": "plainly, as /e/f", "/e/./${stream:key}": "plainly, as /e",
	} {
		place, many, err := EnvPlace(parsed(t, file)[0], func(ref stream.Ref) (string, bool, error) {
			return map[string]string{"name": "h", "dir": "/h"}[ref.Name], ref.Name != "none", nil
		})
		if got := fmt.Sprint(place, " ", many); (err != nil || got != want) && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %s, %v; want %s", file, got, err, want)
		}
	}
}
