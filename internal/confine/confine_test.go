package confine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine/step"
)

// The test binary is the step (by its import), the probe and whoever is outside.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_MAIN") {
	case "probe":
		os.Exit(playProbe())
	case "outside":
		os.Exit(playOutside())
	case "no step":
		fmt.Print("no step")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// users are those as whom a probe is tried: this one, and an ordinary one where this is root.
func users() []int {
	if os.Getuid() == 0 {
		return []int{0, 65534}
	}
	return []int{os.Getuid()}
}

func as(uid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != os.Getuid() {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), NoSetGroups: true}
	}
	return attr
}

// makeWorld lays out the files of a host and starts a process outside.
func makeWorld(t *testing.T, uid int) world {
	t.Helper()
	dir, err := os.MkdirTemp("", "confine") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	w := world{Dir: dir}
	for _, d := range []string{"etc/conf.d", "etc/ssl", "run/v1", "state/s/own/work", "state/s/own/io", "state/s/other/io", "recordings", "public"} {
		if err := os.MkdirAll(w.at(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{
		"etc/token", "etc/config.yaml", "etc/conf.d/more.yaml", "etc/own.env", "etc/other.env", "etc/hosts", "etc/ssl/ca", "run/v1/secret",
		"state/host_id", "state/s/own.json", "state/s/own/spec.json", "state/s/other/spec.json", "state/s/other/io/vars", "public/file", "state/program",
	} {
		if err := os.WriteFile(w.at(f), []byte("#!/bin/true\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "state", "etc/link": "token", "run/secret": "v1/secret"} {
		if err := os.Symlink(target, w.at(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error { return errors.Join(err, os.Lchown(path, uid, uid)) }); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TEST_MAIN=outside", "SOCK=" + w.at("state/s/other/sock"), "PROG=" + w.at("state/s/own/prog")}
	cmd.SysProcAttr = as(uid)
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Pdeathsig = 0 // the thread may end before the test
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	w.Outside = cmd.Process.Pid
	lines := bufio.NewReader(out)
	if _, err := fmt.Fscanln(lines, &w.Server, &w.Thread); err != nil {
		t.Fatal(err)
	}
	if word, err := lines.ReadString('\n'); word != "ready\n" {
		t.Fatal(word, err)
	}
	return w
}

// policy is the one of the slot "own".
func (w world) policy() Policy {
	return Policy{
		Level:  Hide,
		Hidden: []string{w.at("etc/config.yaml"), w.at("etc/conf.d/more.yaml"), w.at("etc/token"), w.at("etc/own.env"), w.at("etc/other.env"), w.at("state"), w.at("run/secret"), w.at("not/there")},
		Own:    []string{w.at("etc/own.env")},
	}
}

func (w world) mine() []string {
	return []string{w.at("state/s/own/work"), w.at("state/s/own/io"), w.at("state/s/own/prog")}
}

// probe has a probe try everything in a fresh world, and says what came of it.
func probe(t *testing.T, uid int, change func(world, *Policy)) map[string]string {
	t.Helper()
	w := makeWorld(t, uid)
	p := w.policy()
	if change != nil {
		change(w, &p)
	}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TEST_MAIN=probe", "WORLD=" + string(text), "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = w.at("state/s/own/work")
	cmd.SysProcAttr = as(uid)
	done := func(err error) error { return err }
	if p.Confines() {
		passage, err := p.Passage(w.mine()...)
		if err != nil {
			t.Fatal(err)
		}
		done = passage.Wrap(cmd)
	}
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := done(cmd.Run()); err != nil {
		t.Fatalf("%v: %s%s", err, &out, &stderr)
	}
	got := map[string]string{}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	return got
}

// fake has this process take the kernel for an older or newer one, as far as this one can do the same.
func fake(t *testing.T, abi int) (held int) {
	t.Helper()
	real := Ask
	here := real()
	held = min(abi, here.ABI)
	Ask = func() Kernel {
		k := Kernel{ABI: held}
		if held == 0 {
			k.Why = "of a test"
		}
		return k
	}
	t.Cleanup(func() { Ask = real })
	return held
}

func needLandlock(t *testing.T, abi int) {
	t.Helper()
	if k := Ask(); k.ABI < abi {
		if os.Getenv("STREAM_API_TEST_REQUIRE") != "" && k.ABI == 0 {
			t.Fatalf("no Landlock here: %s", k.Why)
		}
		t.Skipf("the kernel's Landlock is of version %d (%s); %d is needed", k.ABI, k.Why, abi)
	}
}

func TestAChildIsKeptFromWhatIsNotItsOwn(t *testing.T) {
	for _, uid := range users() {
		t.Run(fmt.Sprint("as ", uid, " none"), func(t *testing.T) {
			got := probe(t, uid, func(_ world, p *Policy) { p.Level = None })
			for _, a := range append(slices.Clone(attempts), moves...) {
				if why := got[a.name]; why != "" && why != errNotHere.Error() && !unfit(a, uid) {
					t.Errorf("%s: %s; without confinement it should be done, or it shows nothing", a.name, why)
				}
			}
		})
		for abi := 0; abi <= 11; abi++ {
			t.Run(fmt.Sprint("as ", uid, " hide ", abi), func(t *testing.T) {
				held := fake(t, abi)
				if abi > 0 {
					needLandlock(t, 1)
				}
				got := probe(t, uid, nil)
				for _, a := range attempts {
					why := got[a.name]
					denied := a.denied < 0 || a.denied > 0 && held >= a.denied
					switch {
					case why == errNotHere.Error():
					case denied && why == "" && !roots(a, uid):
						t.Errorf("%s: done", a.name)
					case !denied && why != "" && !unfit(a, uid):
						t.Errorf("%s: %s", a.name, why)
					}
				}
				if why := got[moves[0].name]; (why != "") != (held == abiFiles) {
					t.Errorf("%s: %q", moves[0].name, why)
				}
			})
		}
	}
}

// unfit tells what an ordinary user cannot do at all.
func unfit(a attempt, uid int) bool { return uid != 0 && a.name == "fill a control group" }

// roots tells what root may whatever Landlock says: since Linux 6.13 or so CAP_PERFMON is enough to look.
func roots(a attempt, uid int) bool {
	return uid == 0 && (a.name == "read the environment of a process outside" || a.name == "read the memory map of a process outside")
}

func TestEachHiddenPlaceIsHiddenByItsOwnMark(t *testing.T) {
	needLandlock(t, 1)
	uid := users()[len(users())-1]
	for hidden, attempt := range map[string]string{
		"etc/token": "read the token", "etc/config.yaml": "read the configuration", "etc/conf.d/more.yaml": "read the configuration by its directory",
		"etc/other.env": "read another service's env_file", "state": "read another slot's spec", "run/secret": "read what a hidden link leads to",
	} {
		got := probe(t, uid, func(w world, p *Policy) {
			p.Hidden = slices.DeleteFunc(p.Hidden, func(path string) bool { return path == w.at(hidden) })
		})
		if got[attempt] != "" {
			t.Errorf("%s is not hidden, and yet: %s: %s", hidden, attempt, got[attempt])
		}
	}
	got := probe(t, uid, func(_ world, p *Policy) { p.Own = nil })
	if got["read its own env_file"] == "" {
		t.Error("its own env_file is not its own, and yet it is read")
	}
}

func TestWhatIsTheKernelsIsNotHidden(t *testing.T) {
	t.Parallel()
	needLandlock(t, 1)
	w := makeWorld(t, os.Getuid())
	p := w.policy()
	p.Hidden = append(p.Hidden, "/proc/sys/kernel/ostype", "/dev/null", "/proc/self/fd/0")
	out := shell(t, p, w.mine(), `echo ready; read x; cat /proc/sys/kernel/ostype; (cat /proc/self/comm); echo x > /dev/null; ls -d /proc/self/fd`, func() {})
	if out != "Linux\ncat\n/proc/self/fd\n" {
		t.Errorf("%q", out)
	}
	if place := p.Hiding("/dev/null"); place != "" {
		t.Errorf("%s is hidden", place)
	}
}

func TestWhatComesLaterBesideAHiddenPlaceIsHiddenToo(t *testing.T) {
	needLandlock(t, 1)
	w := makeWorld(t, os.Getuid())
	out := shell(t, w.policy(), w.mine(), fmt.Sprintf(`echo ready; read x; cat %s/etc/hosts; cat %s/recordings/later`, w.Dir, w.Dir), func() {
		for path, text := range map[string]string{"etc/hosts": "new", "recordings/later": "seen"} {
			if err := os.WriteFile(w.at(path+".tmp"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(w.at(path+".tmp"), w.at(path)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if strings.Contains(out, "new") || !strings.Contains(out, "seen") || !strings.Contains(out, "Permission denied") {
		t.Errorf("%q", out)
	}
}

// shell runs a script that says ready, then does change, and returns all it said.
func shell(t *testing.T, p Policy, mine []string, script string, change func()) string {
	t.Helper()
	passage, err := p.Passage(mine...)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", "exec 2>&1; "+script)
	done := passage.Wrap(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err := done(err); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if word, err := lines.ReadString('\n'); word != "ready\n" {
		t.Fatal(word, err)
	}
	change()
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	if _, err := lines.WriteTo(&all); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // how it ended is not asked
	return all.String()
}

func TestThePassageSaysWhyAProgramDoesNotRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"text": 0o600, "nothing": 0o700} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/no/such/interpreter\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"): unix.ENOENT, filepath.Join(dir, "text"): unix.EACCES, dir: unix.EACCES, filepath.Join(dir, "nothing"): unix.ENOENT, "/bin/true": nil,
	} {
		for _, p := range []Policy{{Level: Hide}, {Level: Hide, Hidden: []string{"/nowhere"}}} {
			passage, err := p.Passage()
			if err != nil {
				t.Fatal(err)
			}
			cmd := &exec.Cmd{Path: path, Args: []string{"name", "", "a b"}}
			if err := passage.Wrap(cmd)(cmd.Run()); !errors.Is(err, want) {
				t.Errorf("%s: %v, not %v", path, err, want)
			}
		}
	}
}

func TestTheProgramHasItsWholeCommandLineAndNothingMore(t *testing.T) {
	t.Parallel()
	var said [2]string
	for i, p := range []Policy{{}, {Level: Hide}} {
		cmd := &exec.Cmd{
			Path: "/bin/sh", Env: []string{"A=b c", "PATH=/usr/bin:/bin", "EMPTY=", "=odd"},
			Args: []string{"sh", "-c", `tr '\0' '|' < /proc/self/cmdline; printf '%s/' "$0" "$@"; env; ls -l /proc/self/fd | grep -c pipe`, "zero", "", "a b", "-c\nx"},
		}
		var out strings.Builder
		cmd.Stdout = &out
		done := func(err error) error { return err }
		if p.Confines() {
			passage, err := p.Passage()
			if err != nil {
				t.Fatal(err)
			}
			done = passage.Wrap(cmd)
		}
		if err := done(cmd.Run()); err != nil {
			t.Fatal(err)
		}
		said[i] = out.String()
	}
	if said[0] != said[1] || !strings.Contains(said[0], "|zero||a b|-c\nx|") {
		t.Errorf("%q, and confined %q", said[0], said[1])
	}
}

func TestAStepThatIsKilledIsStillborn(t *testing.T) {
	t.Parallel()
	passage, err := Policy{Level: Hide}.Passage()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: "/bin/true", Args: []string{"true"}}
	done := passage.Wrap(cmd)
	cmd.Path, cmd.Args = "/bin/sleep", []string{"sleep", "1000"} // in place of the step: it says nothing
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := done(nil); !errors.Is(err, ErrStillborn) {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

func TestTypedByHandTheStepIsNoStep(t *testing.T) {
	t.Parallel()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{step.Name, step.Command, step.Bare, "/bin/echo", "echo", "it ran"}, Env: []string{"TEST_MAIN=no step"}}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "no step" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRequireFailsWhereTheKernelCannot(t *testing.T) {
	for abi, says := range map[int]string{0: "of a test", 2: "6.12", 5: "6.12"} {
		t.Run(fmt.Sprint(abi), func(t *testing.T) {
			if fake(t, abi) != abi {
				needLandlock(t, abi)
			}
			if _, err := (Policy{Level: Hide, Require: true}).Passage(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "take require away") {
				t.Error(err)
			}
		})
	}
}

func TestEachVersionSaysWhatItDoesNotHold(t *testing.T) {
	t.Parallel()
	for abi, want := range []int{1, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0} {
		k := Kernel{ABI: abi}
		if got := k.Lacks(); len(got) != want || (want == 0) != k.Holds() {
			t.Errorf("%d: %q, holds: %v", abi, got, k.Holds())
		}
		if (len(k.Tells()) > 0) != (abi == abiFiles) {
			t.Errorf("%d: %q", abi, k.Tells())
		}
		if short := k.Short(); (short == "none") != (abi == 0) || (short == "hide") != (abi >= 6) {
			t.Errorf("%d: %s", abi, short)
		}
		attr := k.attributes()
		if (attr.Scoped != 0) != (abi >= abiSignals) || attr.Handled_access_net != 0 || (attr.Handled_access_fs != 0) != (abi > 0) {
			t.Errorf("%d: %+v", abi, attr)
		}
	}
}

func TestHidingNamesThePlace(t *testing.T) {
	t.Parallel()
	w := world{Dir: t.TempDir()}
	for _, d := range []string{"etc", "state/s/own/work"} {
		if err := os.MkdirAll(w.at(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("state", w.at("link")); err != nil {
		t.Fatal(err)
	}
	p := w.policy()
	for path, want := range map[string]string{
		"etc/token": "etc/token", "etc/tokens": "", "etc/own.env": "", "state": "state", "state/x/../y": "state", "link/anything": "state", "state/s/own/work/file": "",
		"state/s/own/worker": "state", "stateless": "", "not/there/at/all": "not/there",
	} {
		if want != "" {
			want = w.at(want)
		}
		if got := p.Hiding(w.at(path), w.mine()...); got != want {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
	p.Level = None
	if got := p.Hiding(w.at("state")); got != "" {
		t.Errorf("none hides %s", got)
	}
}

func TestPoliciesThatKeepFromTheSameAreTheSame(t *testing.T) {
	t.Parallel()
	base := Policy{Level: Hide, Hidden: []string{"/a"}, Own: []string{"/b"}}
	for name, other := range map[string]Policy{
		"level": {Level: None, Hidden: base.Hidden, Own: base.Own}, "require": {Level: Hide, Require: true, Hidden: base.Hidden, Own: base.Own},
		"hidden": {Level: Hide, Hidden: []string{"/c"}, Own: base.Own}, "own": {Level: Hide, Hidden: base.Hidden},
	} {
		if base.Same(other) || other.Same(base) {
			t.Errorf("another %s is the same", name)
		}
	}
	if !base.Same(base) || !(Policy{}).Same(Policy{Level: None}) {
		t.Error("the same is another")
	}
}

func BenchmarkPassage(b *testing.B) {
	w := world{Dir: b.TempDir()}
	p := Policy{Level: Hide, Hidden: []string{"/etc/stream-api/config.yaml", w.at("state")}}
	for b.Loop() {
		passage, err := p.Passage()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(passage.rules), "rules")
		passage.Close()
	}
}

func BenchmarkStart(b *testing.B) {
	p := Policy{Level: Hide, Hidden: []string{"/etc/stream-api/config.yaml", "/var/lib/stream-api"}}
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hide", func(b *testing.B) {
		for b.Loop() {
			passage, err := p.Passage()
			if err != nil {
				b.Fatal(err)
			}
			cmd := exec.Command("/bin/true")
			if err := passage.Wrap(cmd)(cmd.Run()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
