package supervisor

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"stream-api/internal/legible"
)

func TestATermGoesOneWay(t *testing.T) {
	var w term
	if err := w.feed(1, 100, time.Hour); !errors.Is(err, ErrNoGo) || w.lapse(1<<40) {
		t.Errorf("a feed before Go: %v, %+v", err, w)
	}
	if err := w.begin(10, 20, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		now, deadline int64
		want          error
		left          int64
	}{
		{19, 30, nil, 30},
		{29, 40, nil, 40},
		{30, 30 + int64(time.Hour) + 1, ErrDeadline, 40},
		{39, 45, nil, 45},
		{44, 60, nil, 60},
		{50, 55, nil, 55}, // earlier than before
		{55, 100, ErrLapsed, 55},
		{20, 100, ErrLapsed, 55}, // not even if the clock went back
		{54, 1 << 40, ErrLapsed, 55},
	} {
		if err := w.feed(step.now, step.deadline, time.Hour); !errors.Is(err, step.want) || w.deadline != step.left {
			t.Errorf("at %d feed %d: %v, deadline %d", step.now, step.deadline, err, w.deadline)
		}
	}
	if err := w.begin(1, 1000, time.Hour); !errors.Is(err, ErrLapsed) {
		t.Errorf("a Go after the end: %v", err)
	}
}

func TestATermThatIsFedThePastLapses(t *testing.T) {
	w := term{state: termRunning, deadline: 100}
	if err := w.feed(50, 50, time.Hour); !errors.Is(err, ErrLapsed) || w.state != termLapsed {
		t.Errorf("%v, %+v", err, w)
	}
	w = term{}
	if err := w.begin(50, 50, time.Hour); !errors.Is(err, ErrLapsed) || w.state != termLapsed {
		t.Errorf("%v, %+v", err, w)
	}
}

func TestNothingIsForkedAfterTheDeadline(t *testing.T) {
	f := newForker(func() bool { return true })
	if _, err := f.fork(command{path: "/bin/false"}, nil); !errors.Is(err, errClosed) || f.forking {
		t.Errorf("%v, %v", err, f.forking)
	}
}

var policy = Restart{Delay: time.Second, MaxDelay: 10 * time.Second, GiveUpAfter: 3, Within: time.Minute}

func TestDelaysDoubleUpToTheLongestAndAreSpread(t *testing.T) {
	var f Failures
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		want *= time.Second
		at := time.Duration(i) * time.Second
		_, low := policy.Next(f, Ended{At: at, Counted: true}, 0, 0)
		_, high := policy.Next(f, Ended{At: at, Counted: true}, 0, math.Nextafter(1, 0))
		if low.Delay != want/2 || high.Delay > want || high.Delay < want-time.Millisecond {
			t.Errorf("restart %d: %s to %s, wanted up to %s", i, low.Delay, high.Delay, want)
		}
		f, _ = policy.Next(f, Ended{At: at, Counted: true}, 0, 0.5)
	}
	if _, v := policy.Next(f, Ended{At: time.Hour, Ran: time.Minute, Counted: true}, 0, 0); v.Delay != 500*time.Millisecond || v.Failures != 1 {
		t.Errorf("after running well: %+v", v)
	}
	if _, v := policy.Next(f.fresh(), Ended{At: 8 * time.Second, Counted: true}, 0, 0); v.Delay != 500*time.Millisecond || v.Failures < 3 {
		t.Errorf("after a kick: %+v", v)
	}
	if _, v := policy.Next(Failures{}, Ended{}, time.Minute, 0.9); v.Delay < time.Minute || v.Delay > 75*time.Second {
		t.Errorf("with a pace: %+v", v)
	}
}

func TestFailingIsSoManyWithinTheWindow(t *testing.T) {
	var f Failures
	var v Backoff
	for i, step := range []struct {
		at      time.Duration
		counted bool
		n       int
		failing bool
	}{
		{0, true, 1, false}, {10, true, 2, false}, {20, false, 2, false}, {30, true, 3, true}, {40, true, 4, true},
		{50, false, 4, false}, // said only of a failure
		{61, true, 4, true},   // the first is out of the window
		{200, true, 1, false},
	} {
		f, v = policy.Next(f, Ended{At: step.at * time.Second, Counted: step.counted}, 0, 0)
		if v.Failures != step.n || v.Failing != step.failing {
			t.Errorf("step %d: %+v, wanted %d %v", i, v, step.n, step.failing)
		}
	}
	never := policy
	never.GiveUpAfter = 0
	for i := range 10000 {
		f, v = never.Next(f, Ended{At: time.Duration(i), Counted: true}, 0, 0)
		if v.Failing || len(f.times) > 16 {
			t.Fatalf("%+v, %d kept", v, len(f.times))
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	m := newMasker([]string{"hunter2", "hunter2-long", "p@ss w", "line1\nline2", "", " "})
	for line, want := range map[string]string{
		"icecast://source:hunter2@x/s1":     "icecast://source:***@x/s1",
		"hunter2-long and hunter2":          "*** and ***",
		"rtmp://u:p%40ss%20w@x p@ss w":      "rtmp://u:***@x ***",
		"p%40ss+w":                          "***",
		"say line2 then line1":              "say *** then ***",
		"hun\x1b[31mter2\x1b[0m":            "***",
		"clean":                             "clean",
		"bell\a esc\x1bc tab\t c1\u0085":    `bell\x07 esc\x1bc` + " tab\t " + `c1\u{85}`,
		"bad \xff utf8 \u202etxt.exe":       `bad \xff utf8 \u{202e}txt.exe`,
		"ünïcode ✓":                         "ünïcode ✓",
		"\x1b]0;title\x07\x1b[2J\x1b[1;1Hx": `\x1b]0;title\x07x`,
	} {
		if got := m.clean([]byte(line), false); got != want {
			t.Errorf("%q became %q, wanted %q", line, got, want)
		}
	}
}

// Wherever a line is cut, not even the beginning of a secret shows.
func TestACutLineShowsNoPartOfASecret(t *testing.T) {
	secret := "S3CRET-abcdefghij"
	m := newMasker([]string{secret})
	for offset := maxLine - 40; offset < maxLine+40; offset++ {
		var got string
		c := cutter{room: m.room(), line: func(text []byte, cut bool) { got = m.clean(text, cut) }}
		c.write([]byte(strings.Repeat(secret, 3) + strings.Repeat("x", offset) + secret + strings.Repeat("y", 3*maxLine) + "\n"))
		if strings.Contains(got, "S3") || !strings.HasSuffix(got, "…[cut]") || len(got) > maxLine+10 {
			t.Fatalf("offset %d: %d bytes, …%q", offset, len(got), got[len(got)-60:])
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add([]byte("a secret b"), "secret", false)
	f.Add([]byte("\x1b[1m\xff\u202e"), "\x1b", true)
	f.Fuzz(func(t *testing.T, line []byte, secret string, cut bool) {
		got := newMasker([]string{secret}).clean(line, cut)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			t.Errorf("%q", got)
		}
		if len(got) > maxLine+len("…[cut]") {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func TestLinesAreCutAtTheirEnds(t *testing.T) {
	for _, step := range []struct {
		in   []string
		want []string
	}{
		{[]string{"a\nb\n"}, []string{"a", "b"}},
		{[]string{"a", "b", "\nc"}, []string{"ab", "c"}},
		{[]string{"win\r\ndows\r", "\n"}, []string{"win", "dows"}},
		{[]string{"10%\r20%", "\r30%\n", "next\n"}, []string{"30%", "next"}},
		{[]string{"10%\r"}, []string{"10%"}},
		{[]string{"\n\n"}, []string{"", ""}},
		{[]string{"12345678901", "2345\nok\n"}, []string{"1234567890!", "ok"}},
		{[]string{"12345678901\rshort\n"}, []string{"short"}},
	} {
		var got []string
		c := cutter{room: 10, line: func(text []byte, cut bool) {
			line := string(text)
			if cut {
				line += "!"
			}
			got = append(got, line)
		}}
		for _, p := range step.in {
			c.write([]byte(p))
		}
		c.flush()
		if !slices.Equal(got, step.want) {
			t.Errorf("%q gave %q, wanted %q", step.in, got, step.want)
		}
	}
}

func TestVariablesAreParsed(t *testing.T) {
	long := strings.Repeat("v", maxVarValue)
	vars, bad := parseVars([]byte("url=http://x/?a=b\n_1=\n\nA=ü\r\nA=later\nfull=" + long + "\nhalf=writ"))
	if want := map[string]string{"url": "http://x/?a=b", "_1": "", "A": "later", "full": long}; !maps.Equal(vars, want) || bad != nil {
		t.Errorf("%v, %v", vars, bad)
	}
	vars, bad = parseVars([]byte("ok=1\nno equals\n1x=2\na-b=3\n=4\nesc=\x1b[1m\nbad=\xff\ntoo=" + long + "v\n" + strings.Repeat("n", 65) + "=1\n"))
	if len(vars) != 1 || vars["ok"] != "1" || len(bad) != 8 || strings.Contains(strings.Join(bad, ""), "\x1b") {
		t.Errorf("%v, %q", vars, bad)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "v%d=%d\n", i, i)
	}
	if vars, bad = parseVars([]byte(many.String() + "v0=again\n")); len(vars) != maxVars || vars["v0"] != "again" || len(bad) != 10 {
		t.Errorf("%d variables, %q", len(vars), bad)
	}
}

func FuzzParseVars(f *testing.F) {
	f.Add([]byte("a=b\nc"))
	f.Add([]byte("=\n\x00=\n" + strings.Repeat("a=1\n", 100)))
	f.Fuzz(func(t *testing.T, text []byte) {
		vars, bad := parseVars(text)
		if len(vars) > maxVars || len(bad) > 10 {
			t.Errorf("%d variables, %d complaints", len(vars), len(bad))
		}
		for name, value := range vars {
			if !varName.MatchString(name) || len(name) > maxVarName || len(value) > maxVarValue || strings.ContainsAny(value, "\n\x00\x1b") {
				t.Errorf("%q=%q", name, value)
			}
		}
		if joined := strings.Join(bad, "; "); legible.Line(joined) != joined && utf8.ValidString(string(text)) {
			t.Errorf("complaint %q", joined)
		}
	})
}

func TestProgressIsParsed(t *testing.T) {
	var p progressParser
	var got []Progress
	for line := range strings.Lines("frame=12\nfps=9.92\nstream_0_0_q=-0.0\nbitrate= 123.4kbits/s\nout_time_us=1200000\ndrop_frames=3\nspeed=   1.08x\nprogress=continue\n" +
		"bitrate=N/A\nout_time_us=N/A\nspeed=infx\nfps=NaN\nnonsense\nprogress=end\n") {
		if block, ok := p.line(line); ok {
			got = append(got, block)
		}
	}
	if want := []Progress{{Frame: 12, FPS: 9.92, Bitrate: 123.4, OutTime: 1200000, Dropped: 3, Speed: 1.08}, {}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzParseStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte("1 (a) R 2 (b)) S 1 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 99 1 1"))
	f.Add([]byte("1 ()"))
	f.Add([]byte(") 1 ("))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseStat(text); err == nil && s.state == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAHostileProcessNameIsNoPid(t *testing.T) {
	s, err := parseStat([]byte("77 (x) R 1 2 3 4) S 5 6 7 0 -1 4194368 1 1 1 1 1 1 1 1 20 0 1 0 4242 1 1\n"))
	if want := (procStat{pid: 77, name: "x) R 1 2 3 4", state: 'S', ppid: 5, group: 6, session: 7, start: 4242, unborn: true}); err != nil || s != want {
		t.Errorf("%+v, %v", s, err)
	}
}

// Both ways of finding descendants, as some kernels know only one.
func TestDescendantsAreFound(t *testing.T) {
	r := launch(t, shell("sh -c 'sleep 1000 & echo > $NOTES/up; wait' & wait"))
	r.note("up")
	root := r.State().Supervisor.PID
	walked, err := walkChildren(root)
	if err != nil {
		t.Logf("this kernel has no children files: %v", err)
	}
	all, err := allProcesses()
	if err != nil {
		t.Fatal(err)
	}
	scanned := below(root, all)
	if len(scanned) != 3 || err == nil && walked != nil && len(walked) != 3 {
		t.Errorf("scanned %+v, walked %+v", scanned, walked)
	}
}

func TestBelowSurvivesARing(t *testing.T) {
	got := below(1, []procStat{{pid: 2, ppid: 1}, {pid: 3, ppid: 2}, {pid: 1, ppid: 3}, {pid: 4, ppid: 9}})
	if len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestASignalNeverHitsAPidGivenOutAgain(t *testing.T) {
	me, err := self()
	if err != nil {
		t.Fatal(err)
	}
	me.Start-- // as if the one that was meant had this pid before
	if err := me.signal(unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
		t.Errorf("%v", err)
	}
	if me.alive() {
		t.Error("it is taken for alive")
	}
}

// fakeRoot is a file system as seen by findCgroup.
func fakeRoot(t *testing.T, mountinfo, cgroup string, dirs ...string) string {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("proc/self/mountinfo", mountinfo)
	write("proc/self/cgroup", cgroup)
	for _, dir := range dirs {
		write(dir+"/cgroup.procs", "")
	}
	return root
}

const (
	mountV1 = "30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n31 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
	mountV2 = "24 23 0:21 / /proc rw - proc proc rw\n29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
)

func TestACgroupIsUsedOnlyWhereItIsOurs(t *testing.T) {
	unit := "/sys/fs/cgroup/system.slice/stream-api.service"
	for _, c := range []struct {
		name, mounts, own string
		dirs              []string
		systemd, marked   bool
		want              string
	}{
		{name: "v1 alone", mounts: mountV1, own: "1:name=systemd:/\n"},
		{name: "delegated unit", mounts: mountV2, own: "0::/system.slice/stream-api.service\n", dirs: []string{unit}, systemd: true, marked: true, want: unit},
		{name: "below a delegated unit", mounts: mountV2, own: "0::/system.slice/stream-api.service/main\n", dirs: []string{unit, unit + "/main"}, systemd: true, marked: true, want: unit + "/main"},
		{name: "in its hosts' leaf", mounts: mountV2, own: "0::/system.slice/stream-api.service/stream-api-host\n", dirs: []string{unit, unit + "/stream-api-host"}, systemd: true, marked: true, want: unit},
		{name: "container", mounts: mountV2, own: "0::/\n", dirs: []string{"/sys/fs/cgroup"}, want: "/sys/fs/cgroup"},
		{name: "hybrid", mounts: mountV1 + "32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", own: "4:pids:/\n0::/\n", dirs: []string{"/sys/fs/cgroup/unified"}, want: "/sys/fs/cgroup/unified"},
		{name: "not mounted", mounts: mountV1, own: "0::/\n"},
		{name: "outside of the container", mounts: mountV2, own: "0::/../x\n", dirs: []string{"/sys/fs/x"}},
		{name: "no such directory", mounts: mountV2, own: "0::/gone\n", dirs: []string{"/sys/fs/cgroup"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fakeRoot(t, c.mounts, c.own, c.dirs...)
			if c.systemd {
				if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if c.marked {
				if err := unix.Setxattr(filepath.Join(root, unit), "user.delegate", []byte("1"), 0); err != nil {
					t.Skipf("no extended attributes here: %v", err)
				}
			}
			got, err := findCgroup(root)
			if c.want == "" {
				if !errors.Is(err, errNoCgroup) {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err != nil || got != filepath.Join(root, c.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestRootTakesNoCgroupThatSystemdKeeps(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("for others being able to write is the delegation")
	}
	unit := "/sys/fs/cgroup/system.slice/stream-api.service"
	root := fakeRoot(t, mountV2, "0::/system.slice/stream-api.service\n", unit)
	if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := findCgroup(root); !errors.Is(err, errNoCgroup) || !strings.Contains(err.Error(), "Delegate=yes") {
		t.Errorf("%q, %v", got, err)
	}
}
