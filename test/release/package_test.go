package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"stream-api/internal/realrun"
)

const epoch = "SOURCE_DATE_EPOCH=1700000000"

// stage makes what a package holds beside the program.
func stage(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stage")
	command(t, "../..", []string{epoch}, "deploy/package/stage.sh", dir)
	return dir
}

// pack makes a package of the program that all tests share.
func pack(t *testing.T, stage string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "stream-api.deb")
	command(t, "../..", []string{epoch}, "deploy/package/deb.sh", realrun.Binary(t), runtime.GOARCH, "1.2.3~rc1", stage, out)
	return out
}

func TestThePackageHoldsWhatItSaysAndIsMadeEqual(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("no dpkg-deb here")
	}
	first, second := stage(t), stage(t)
	deb := pack(t, first)
	if a, b := sum(t, deb), sum(t, pack(t, second)); a != b {
		t.Errorf("two packages of the same sources differ: %s and %s", a, b)
	}
	if got := command(t, ".", nil, "dpkg-deb", "--field", deb, "Package", "Version", "Architecture"); got != "Package: stream-api\nVersion: 1.2.3~rc1\nArchitecture: "+runtime.GOARCH+"\n" {
		t.Errorf("the package says of itself:\n%s", got)
	}

	listed := map[string]string{}
	for line := range strings.Lines(command(t, ".", nil, "dpkg-deb", "--contents", deb)) {
		// -rwxr-xr-x 0/0 123 2023-11-14 22:13 ./usr/bin/stream-api
		if f := strings.Fields(line); len(f) >= 6 {
			listed[strings.TrimPrefix(f[5], ".")] = f[0] + " " + f[1]
		}
	}
	for path, want := range map[string]string{
		"/usr/bin/stream-api":                                  "-rwxr-xr-x root/root",
		"/usr/lib/systemd/system/stream-api.service":           "-rw-r--r-- root/root",
		"/usr/lib/sysusers.d/stream-api.conf":                  "-rw-r--r-- root/root",
		"/etc/stream-api/config.yaml":                          "-rw-r----- root/root",
		"/usr/share/man/man1/stream-api.1.gz":                  "-rw-r--r-- root/root",
		"/usr/share/man/man1/stream-api-streams-add.1.gz":      "-rw-r--r-- root/root",
		"/usr/share/bash-completion/completions/stream-api":    "-rw-r--r-- root/root",
		"/usr/share/zsh/vendor-completions/_stream-api":        "-rw-r--r-- root/root",
		"/usr/share/fish/vendor_completions.d/stream-api.fish": "-rw-r--r-- root/root",
		"/usr/share/doc/stream-api/copyright":                  "-rw-r--r-- root/root",
		"/usr/share/doc/stream-api/configuration.md":           "-rw-r--r-- root/root",
		"/usr/share/doc/stream-api/examples/hardening.conf":    "-rw-r--r-- root/root",
	} {
		if listed[path] != want {
			t.Errorf("%s is %q in the package; want %q", path, listed[path], want)
		}
	}

	root, control := filepath.Join(t.TempDir(), "root"), filepath.Join(t.TempDir(), "control")
	command(t, ".", nil, "dpkg-deb", "--extract", deb, root)
	command(t, ".", nil, "dpkg-deb", "--control", deb, control)
	if got := read(t, filepath.Join(control, "conffiles")); got != "/etc/stream-api/config.yaml\n" {
		t.Errorf("files that an upgrade must not overwrite: %q", got)
	}
	for _, script := range []string{"preinst", "postinst", "prerm", "postrm"} {
		if read(t, filepath.Join(control, script)) != read(t, "../../deploy/package/"+script) {
			t.Errorf("the package's %s is another", script)
		}
	}
	unit := read(t, filepath.Join(root, "usr/lib/systemd/system/stream-api.service"))
	ours := read(t, "../../deploy/systemd/stream-api.service")
	if strings.Contains(unit, "/usr/local") || strings.ReplaceAll(unit, "/usr/bin/stream-api", "/usr/local/bin/stream-api") != ours {
		t.Errorf("the unit is not that of deploy/systemd with the program in /usr/bin:\n%s", unit)
	}
	if text := read(t, filepath.Join(root, "usr/share/doc/stream-api/copyright")); !strings.Contains(text, "MIT License") || !strings.Contains(text, "github.com/redis/go-redis") {
		t.Error("the licences of the program and of what is linked are not in copyright")
	}
	checkSample(t, filepath.Join(root, "usr/bin/stream-api"), filepath.Join(root, "etc/stream-api/config.yaml"))
}

// checkSample has the program of the package read the file of the package.
func checkSample(t *testing.T, program, file string) {
	t.Helper()
	said := command(t, ".", nil, program, "check-config", "-o", "json", file)
	if !strings.Contains(said, `"ok": true`) || !strings.Contains(said, `"warnings": []`) {
		t.Errorf("check-config says of the package's file:\n%s", said)
	}
	// What is commented out must be good too, where it is meant to be taken in.
	var whole strings.Builder
	for line := range strings.Lines(read(t, file)) {
		if strings.HasPrefix(line, "services: {}") {
			continue
		}
		// Prose has one space after its #.
		if rest, is := strings.CutPrefix(line, "#"); is && rest != "\n" && (rest[0] != ' ' || rest[1] == ' ') {
			line = rest
		}
		whole.WriteString(strings.Replace(line, "  #name: ber", "  name: ber", 1))
	}
	full := filepath.Join(t.TempDir(), "full.yaml")
	if err := os.WriteFile(full, []byte(whole.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	said = command(t, ".", nil, program, "check-config", full)
	for _, want := range []string{"ber", "transcode", "ingest"} {
		if !strings.Contains(said, want) {
			t.Errorf("the file with its comments taken in lacks %s:\n%s", want, said)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// script runs a maintainer's script in front of a machine that is made up: what
// it calls writes itself down, and the paths it asks for lie in a directory.
type script struct {
	dir    string // stands for /
	active bool   // the unit runs
	refuse string // a command line that fails
}

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{dir: t.TempDir()}
	for _, d := range []string{"run/systemd/system", "etc/stream-api", "var/lib/stream-api", "bin"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "etc/stream-api/config.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"systemctl", "deb-systemd-helper", "deb-systemd-invoke", "systemd-sysusers", "chown"} {
		fake := "#!/bin/sh\nset -- \"$(basename \"$0\")\" \"$@\"\necho \"$*\" >>\"$CALLS\"\n" +
			"[ \"$*\" != \"$REFUSE\" ] || exit 1\ncase \"$*\" in *is-active*) [ -n \"$ACTIVE\" ];; esac\n"
		if err := os.WriteFile(filepath.Join(s.dir, "bin", name), []byte(fake), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// run gives what the script called, a line each.
func (s *script) run(t *testing.T, name string, args ...string) []string {
	t.Helper()
	text := read(t, "../../deploy/package/"+name)
	for _, path := range []string{"/run/", "/etc/stream-api", "/var/lib/stream-api"} {
		text = strings.ReplaceAll(text, path, s.dir+path)
	}
	calls, path := filepath.Join(t.TempDir(), "calls"), filepath.Join(t.TempDir(), name)
	for file, content := range map[string]string{calls: "", path: text} {
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + s.dir + "/bin:" + os.Getenv("PATH"), "CALLS=" + calls, "REFUSE=" + s.refuse}
	if s.active {
		env = append(env, "ACTIVE=1")
	}
	command(t, ".", env, path, args...)
	var called []string
	for line := range strings.Lines(read(t, calls)) {
		called = append(called, strings.TrimSpace(line))
	}
	return called
}

// In the order of dpkg: everything it does to a package between two states.
func TestAnUpgradeStopsNothingAndARemovalLeaves(t *testing.T) {
	t.Parallel()
	const start, stop, reload = "deb-systemd-invoke start stream-api.service", "deb-systemd-invoke stop stream-api.service", "systemctl reload stream-api.service"
	type call struct {
		script string
		args   []string
	}
	install := []call{{"preinst", []string{"install"}}, {"postinst", []string{"configure", ""}}}
	again := []call{{"preinst", []string{"install", "1"}}, {"postinst", []string{"configure", "1"}}}
	upgrade := []call{{"prerm", []string{"upgrade", "2"}}, {"preinst", []string{"upgrade", "1"}}, {"postrm", []string{"upgrade", "2"}}, {"postinst", []string{"configure", "1"}}}
	remove := []call{{"prerm", []string{"remove"}}, {"postrm", []string{"remove"}}}
	for _, row := range []struct {
		what   string
		active bool
		refuse string
		calls  []call
		want   []string // of start, stop and reload
	}{
		{"install", false, "", install, []string{start}},
		{"install, and it does not start", false, start, install, []string{start}},
		{"upgrade of a host that runs", true, "", upgrade, []string{reload}},
		{"upgrade over a file that is refused", true, reload, upgrade, []string{reload}},
		{"upgrade of a host that was stopped", false, "", upgrade, nil},
		{"removal", true, "", remove, []string{stop}},
		{"it comes back", false, "", again, []string{start}},
	} {
		s := newScript(t)
		s.active, s.refuse = row.active, row.refuse
		var moves []string
		for _, c := range row.calls {
			for _, called := range s.run(t, c.script, c.args...) {
				if slices.Contains([]string{start, stop, reload}, called) {
					moves = append(moves, called)
				} else if strings.Contains(called, "stop") || strings.Contains(called, "restart") || strings.Contains(called, "kill") {
					t.Errorf("%s: %s calls %s", row.what, c.script, called)
				}
			}
		}
		if !slices.Equal(moves, row.want) {
			t.Errorf("%s: it calls %q; want %q", row.what, moves, row.want)
		}
	}
}

func TestAPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	if err := os.Remove(filepath.Join(s.dir, "etc/stream-api/config.yaml")); err != nil { // dpkg does
		t.Fatal(err)
	}
	if called := s.run(t, "postrm", "purge"); !slices.Contains(called, "deb-systemd-helper purge stream-api.service") {
		t.Errorf("a purge calls %q", called)
	}
	for _, path := range []string{"etc/stream-api", "var/lib/stream-api"} {
		if _, err := os.Stat(filepath.Join(s.dir, path)); !os.IsNotExist(err) {
			t.Errorf("/%s is still there: %v", path, err)
		}
	}
	// What an operator put there is theirs.
	s = newScript(t)
	s.run(t, "postrm", "purge")
	if _, err := os.Stat(filepath.Join(s.dir, "etc/stream-api/config.yaml")); err != nil {
		t.Error(err)
	}
}

func TestVersionsSortAsTheyCameToBe(t *testing.T) {
	t.Parallel()
	var versions []string
	for _, row := range [][3]string{
		{"0123456", "1700000000", "0~git20231114221320.0123456"},
		{"0000001", "1700000001", "0~git20231114221321.0000001"},
		{"v1.2.3-rc1", "0", "1.2.3~rc1"},
		{"v1.2.3-rc1-2-gabcdef0", "0", "1.2.3~rc1+2.gabcdef0"},
		{"v1.2.3", "0", "1.2.3"},
		{"v1.2.3-4-g0123456", "0", "1.2.3+4.g0123456"},
		{"v1.2.3-4-g0123456-dirty", "0", "1.2.3+4.g0123456+dirty"},
		{"v1.2.4", "0", "1.2.4"},
	} {
		got := strings.TrimSpace(command(t, "../..", nil, "deploy/package/version.sh", row[0], row[1]))
		if got != row[2] {
			t.Errorf("%s is version %s; want %s", row[0], got, row[2])
		}
		versions = append(versions, got)
	}
	if out, err := exec.Command("../../deploy/package/version.sh", "v1.2.3/x", "0").CombinedOutput(); err == nil {
		t.Errorf("v1.2.3/x is taken for a version: %s", out)
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no dpkg here")
	}
	for i := range len(versions) - 1 {
		if err := exec.Command("dpkg", "--compare-versions", versions[i], "lt", versions[i+1]).Run(); err != nil {
			t.Errorf("dpkg does not take %s for older than %s: %v", versions[i], versions[i+1], err)
		}
	}
}
