package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/confine"
	"stream-api/internal/realtest"
)

func sh(script string) Config {
	return Config{Plugin: PluginExec, Command: []string{"sh", "-c", script}, Timeout: 5 * time.Second}
}

func TestWhatTheCommandPrintsIsLive(t *testing.T) {
	got, err := testLister(t, sh(`
echo s1
echo
echo '{"key":"s2","session":7,"bytes":12,"lang":"de","fps":1.10,"none":null}'
echo '$(id)'`)).list(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := `s1 [] -1|s2 [7] 12|$(id) [] -1`; strings.Join(mounts(got), "|") != want {
		t.Errorf("read %s, want %s", strings.Join(mounts(got), "|"), want)
	}
	if want := map[string]string{"lang": "de", "fps": "1.10", "none": ""}; !reflect.DeepEqual(got.mounts[1].Vars, want) {
		t.Errorf("variables %v, want %v", got.mounts[1].Vars, want)
	}
	if got, err := testLister(t, sh("true")).list(context.Background()); err != nil || len(got.mounts) > 0 {
		t.Errorf("no output: %q, %v; want an empty list", mounts(got), err)
	}
}

func TestCommandGetsItsEnvironmentAlone(t *testing.T) {
	t.Setenv("SECRET_OF_THE_DAEMON", "x")
	c := sh(`env | cut -d= -f1 | grep -vx -e PWD -e SHLVL -e _ -e OLDPWD | sort`)
	c.Env = []string{"TOKEN=y"}
	t.Setenv("PATH", os.Getenv("PATH"))
	t.Setenv("HOME", "/")
	t.Setenv("LANG", "C")
	t.Setenv("TZ", "UTC")
	got, err := testLister(t, c).list(context.Background())
	if want := "HOME LANG PATH STREAM_API_POLL STREAM_API_SOURCE TOKEN TZ"; err != nil || keys(got) != want {
		t.Errorf("environment %s, %v; want %s", keys(got), err, want)
	}
}

func TestFailedCommandsAreUnknown(t *testing.T) {
	t.Parallel()
	for script, says := range map[string]string{
		"echo s1; echo no such host >&2; exit 3": `failed: exit status 3, saying "no such host"`,
		"echo s1; kill -9 $$":                    "signal: killed",
		"echo Error: cannot connect":             "line 1: \"Error: cannot connect\" is neither a key nor a JSON object",
		`echo s1; echo '{"key":"s2"'`:            "line 2: ",
		`echo '{"name":"s2"}'`:                   "has no key",
		`echo '{"key":"s2","vars":{}}'`:          `"vars" is not a plain value`,
		`printf 's1\000'`:                        "neither a key",
		"yes":                                    "more than 1 MiB",
		"head -c 100000 /dev/zero | tr '\\0' a":  "65536 at most",
		"echo s1; sleep 30 &":                    "holds its output",
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			c := sh(script)
			c.MaxBody = 1 << 20
			got, err := testLister(t, c).list(context.Background())
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q, %v; want an error that says %q", script, mounts(got), err, says)
			}
		})
	}
	_, err := testLister(t, Config{Plugin: PluginExec, Command: []string{"/no/such/program"}}).list(context.Background())
	if err == nil || !strings.Contains(err.Error(), "cannot be run") {
		t.Errorf("missing program: %v", err)
	}
	crlf := filepath.Join(t.TempDir(), "crlf")
	if err := os.WriteFile(crlf, []byte("#!/bin/sh\r\necho s1\r\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = testLister(t, Config{Plugin: PluginExec, Command: []string{crlf}}).list(context.Background())
	if err == nil || !strings.Contains(err.Error(), "CRLF line ends") {
		t.Errorf("a script with CRLF: %v", err)
	}
}

func TestTreeOfACommandEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready")
	c := Config{
		Plugin: PluginExec, Command: []string{"/proc/self/exe"}, Timeout: 5 * time.Second,
		Env: []string{"TEST_MAIN=hangs", "PID_FILE=" + ready},
	}
	start := time.Now()
	_, err := testLister(t, c).list(context.Background())
	if err == nil || !strings.Contains(err.Error(), "did not end within 5s and was killed") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	if _, err := os.Stat(ready); err != nil {
		t.Fatalf("the grandchild never ran, so nothing was shown: %v", err)
	}
	left, err := marked("PID_FILE=" + ready)
	if err != nil || len(left) > 0 {
		t.Errorf("processes %v of the command are left, %v", left, err)
	}
}

// The deadlines around the command's own are over before it.
func TestTimeOutOfACommandIsSaidInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sh("sleep 300")
	c.Name, c.Chain, c.Timeout = "ingest", []string{"dist"}, 200*time.Millisecond
	const says = "did not end within 200ms and was killed: make it faster, or timeout longer"
	if _, err := Probe(t.Context(), timed(c)); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("a look says %v; want %q", err, says)
	}
	w.poll(c, "a")
	var problem string
	realtest.Await(t, 20*time.Second, "no failed poll is told", func() bool {
		found, err := w.store.Sources(t.Context())
		if err == nil && len(found) == 1 {
			problem = found[0].Error
		}
		return problem != ""
	})
	if !strings.Contains(problem, says) {
		t.Errorf("the source says %q; want %q", problem, says)
	}
}

// What a good command leaves in the background would pile up poll by poll.
func TestLeftoversOfAGoodCommandAreEnded(t *testing.T) {
	t.Parallel()
	nonce := "LEFTOVER=" + t.TempDir()
	c := sh("sleep 300 >/dev/null 2>&1 & echo s1")
	c.Env = []string{nonce}
	got, err := testLister(t, c).list(context.Background())
	if err != nil || keys(got) != "s1" {
		t.Fatalf("%q, %v", mounts(got), err)
	}
	realtest.Await(t, 20*time.Second, "the background process still runs", func() bool {
		left, err := marked(nonce)
		return err == nil && len(left) == 0
	})
}

// A pid that was listed may be another's by the time it is to be killed.
func TestOnlyWhatHasTheMarkIsKilled(t *testing.T) {
	t.Parallel()
	const mark = pollMark + "of-this-test-alone"
	for _, c := range []struct {
		env    []string
		killed bool
	}{{[]string{mark}, true}, {[]string{pollMark + "of-another"}, false}} {
		cmd := exec.Command("sleep", "600")
		cmd.Env = c.env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The kernel says that it is another program a moment before it shows its environment.
		realtest.Await(t, time.Minute, "its environment is not shown", func() bool {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
			return err == nil && strings.HasPrefix(string(text), pollMark)
		})
		err := killMarked(cmd.Process.Pid, mark)
		if killed := err == nil; killed != c.killed {
			t.Errorf("%v: killed %v (%v)", c.env, killed, err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // its error is the signal
		if err := killMarked(cmd.Process.Pid, mark); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("one that is gone: %v", err)
		}
		// What was waited for is no leader of a group of ours.
		if err := endTree(cmd.Process, mark); err != nil {
			t.Error(err)
		}
	}
}

func TestACommandIsConfined(t *testing.T) {
	t.Parallel()
	if k := confine.Ask(); k.ABI == 0 {
		t.Skip(k.Why)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"secret": "stolen\n", "own": "s1\n", "program": "#!/bin/sh\necho s1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	policy := confine.Policy{
		Level: confine.Hide, Hidden: []string{filepath.Join(dir, "secret"), filepath.Join(dir, "own"), filepath.Join(dir, "program")}, Own: []string{filepath.Join(dir, "own")},
	}
	script := `cat "$0/own"; cat "$0/secret" 2>/dev/null; echo "$STREAM_API_CONFINE"`
	for level, want := range map[confine.Level]string{confine.Hide: "s1 hide", confine.None: "s1 stolen"} {
		p := policy
		p.Level = level
		c := command{name: "x", argv: []string{"/bin/sh", "-c", script + "; true", dir}, timeout: time.Minute, limit: 1 << 20, confine: p}
		l, err := c.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, m := range l.mounts {
			keys = append(keys, m.Key)
		}
		if got := strings.TrimSpace(strings.Join(keys, " ")); got != want {
			t.Errorf("%s: %q, not %q", level, got, want)
		}
	}
	c := command{name: "x", argv: []string{filepath.Join(dir, "program")}, timeout: time.Minute, limit: 1 << 20, confine: policy}
	if _, err := c.list(t.Context()); err == nil || !strings.Contains(err.Error(), "confine hides") {
		t.Error(err)
	}
}
