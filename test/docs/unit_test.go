package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

const (
	unitFile      = "../../deploy/systemd/stream-api.service"
	hardeningFile = "../../deploy/systemd/hardening.conf"
	installed     = "/usr/local/bin/stream-api"
	installedConf = "/etc/stream-api/config.yaml"
)

// unit has the values of each "Section.Key", in their order.
type unit map[string][]string

// readUnit reads unit files over each other as systemd does: a later value is
// added, an empty one takes back what was said before.
func readUnit(t *testing.T, paths ...string) unit {
	t.Helper()
	u := unit{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		section := ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			key, value, ok := strings.Cut(line, "=")
			switch {
			case line == "" || line[0] == '#' || line[0] == ';':
			case line[0] == '[':
				section = strings.Trim(line, "[]")
			case !ok || section == "" || strings.HasSuffix(line, `\`):
				t.Errorf("%s: %q is no line that this test reads", path, line)
			case value == "":
				u[section+"."+key] = []string{}
			default:
				u[section+"."+key] = append(u[section+"."+key], value)
			}
		}
	}
	return u
}

// one is the value in force; empty: none.
func (u unit) one(key string) string {
	values := u[key]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// span is a time of a unit; systemd takes a bare number for seconds.
func (u unit) span(t *testing.T, key string) time.Duration {
	t.Helper()
	value := u.one(key)
	if strings.HasSuffix(value, "min") {
		value = strings.TrimSuffix(value, "in")
	} else if strings.Trim(value, "0123456789") == "" {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		t.Errorf("%s: %v", key, err)
	}
	return d
}

func TestTheUnitKeepsItsHostAndItsChildren(t *testing.T) {
	t.Parallel()
	u := readUnit(t, unitFile)
	for key, want := range map[string]string{
		"Unit.StartLimitIntervalSec": "0", // no number of failures is the end
		"Service.Restart":            "on-failure",
		"Service.KillMode":           "process",
		"Service.KillSignal":         "SIGUSR1", // what a restart ends with: the next start adopts
		"Service.Delegate":           "yes",
		"Service.OOMPolicy":          "continue",
		"Service.TasksMax":           "infinity",
		"Service.PrivateTmp":         "no",
		"Service.LimitMEMLOCK":       "infinity", // or no supervisor is held in memory
	} {
		if got := u.one(key); got != want {
			t.Errorf("%s is %q; want %q", key, got, want)
		}
	}
	if d := u.span(t, "Service.TimeoutStopSec"); d < time.Minute {
		t.Errorf("a stop has %v, which a grace may exceed", d)
	}
	// With the shortest lease that operations.md names, children have 3.5 s from their last feed, at most a beat of 1 s ago.
	if d := u.span(t, "Service.RestartSec"); d <= 0 || d > 2*time.Second {
		t.Errorf("a crashed host is started again after %v; its children live for 2.5 s", d)
	}
	after := strings.Fields(strings.Join(u["Unit.After"], " "))
	for _, want := range []string{"network.target", "network-online.target", "nss-lookup.target", "redis-server.service", "redis.service"} {
		if !slices.Contains(after, want) {
			t.Errorf("it is not stopped before %s, which a leaving host needs", want)
		}
	}
	if len(u["Service.RuntimeDirectory"]) > 0 && u.one("Service.RuntimeDirectoryPreserve") != "yes" {
		t.Error("the runtime directory is removed under children that live on")
	}
	for key := range u {
		if strings.HasPrefix(key, "Service.Memory") && !strings.HasSuffix(u.one(key), "%") {
			t.Errorf("%s=%s is for one size of machine", key, u.one(key))
		}
	}
}

// What systemd does with a unit of ours that it must not: each found on a real machine.
func TestTheHardeningTakesNothingThatHostsNeed(t *testing.T) {
	t.Parallel()
	bare, hard := readUnit(t, unitFile), readUnit(t, unitFile, hardeningFile)
	off := []string{"", "no", "false", "0", "off"}
	for key, why := range map[string]string{
		"RestrictNamespaces":   "clone3 is refused, and no child has a cgroup of its own",
		"ProtectControlGroups": "cgroups are read-only, and no child has one of its own",
		"PrivateTmp":           "/tmp is deleted under children at each restart",
		"PrivateNetwork":       "there is no network",
		"DynamicUser":          "the state directory changes its owner",
	} {
		for name, u := range map[string]unit{"the unit": bare, "the hardened unit": hard} {
			if got := u.one("Service." + key); !slices.Contains(off, got) {
				t.Errorf("%s has %s=%s: %s", name, key, got, why)
			}
		}
	}
	if got := hard.one("Service.ProcSubset"); got != "" && got != "all" {
		t.Errorf("ProcSubset=%s: boot_id cannot be read, and nothing starts", got)
	}
	for key, values := range bare {
		if strings.HasPrefix(key, "Service.Protect") { // meant to be made stricter
			continue
		}
		if !slices.Equal(values, hard[key]) {
			t.Errorf("the hardening changes %s from %q to %q", key, values, hard[key])
		}
	}
	families := strings.Fields(hard.one("Service.RestrictAddressFamilies"))
	for _, want := range []string{"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"} {
		if len(families) > 0 && !slices.Contains(families, want) {
			t.Errorf("%s is refused", want)
		}
	}
}

// runShell runs what the unit has systemd run by a shell, with systemctl answering jobs.
func runShell(t *testing.T, line, jobs, mainPID string) {
	t.Helper()
	_, script, ok := strings.Cut(line, "/bin/sh -c '")
	if !ok || !strings.HasSuffix(script, "'") {
		t.Fatalf("%s: no shell", line)
	}
	script = strings.ReplaceAll(strings.TrimSuffix(script, "'"), "%n", "stream-api.service")
	bin := t.TempDir()
	fake := "#!/bin/sh\n[ \"$*\" = 'list-jobs --no-legend stream-api.service' ] || exit 1\necho '" + jobs + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MAINPID="+mainPID)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s with the jobs %q: %v: %s", line, jobs, err, out)
	}
}

// lasting is a service whose children outlive a test.
const lasting = "services: {work: {plugin: {name: exec, path: sleep, args: ['100000'], stop: {grace: 1s}}}}\n" +
	"sources: [{name: fixed, plugin: static, vars: {streams: [s1]}, chain: [work]}]\n"

func TestAStopLeavesAndARestartDoesNot(t *testing.T) {
	t.Parallel()
	u := readUnit(t, unitFile)
	stop := u.one("Service.ExecStop")
	if !strings.HasPrefix(stop, "+") {
		t.Errorf("%s: at a shutdown only root can ask systemd for its jobs", stop)
	}
	h := realrun.Start(t, "ber", realtest.Redis(t).URL(), lasting)
	realtest.Await(t, time.Minute, "the child runs", func() bool { return len(h.Supervisors()) == 1 })
	pid := strconv.Itoa(h.PID())

	runShell(t, stop, " 321 stream-api.service stop waiting", "") // the main process died by itself
	runShell(t, stop, " 322 stream-api.service restart running", pid)
	if h.Ended() || strings.Contains(h.Log(), `"leaving`) {
		t.Error("a restart leaves")
	}
	runShell(t, stop, " 323 stream-api.service stop running", pid)
	if n := len(h.Supervisors()); n != 0 {
		t.Errorf("the stop returned with %d supervisors alive", n)
	}
	if code := h.Wait(time.Minute); code != 0 {
		t.Errorf("it left with %d, which Restart=on-failure calls back", code)
	}
}

// While controllers are handed on, systemd can start no next life in the unit's
// cgroup: the command that takes them back is run as it stands.
func TestTheUnitTakesControllersBackWhenALifeHasEnded(t *testing.T) {
	t.Parallel()
	line := readUnit(t, unitFile).one("Service.ExecStopPost")
	group := t.TempDir()
	handed := filepath.Join(group, "cgroup.subtree_control")
	if err := os.WriteFile(handed, []byte("cpuset cpu memory pids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Each write to the kernel's file is one order; to a plain one the last stays.
	inner, ok := strings.CutPrefix(line, "-/bin/sh -c '")
	if !ok || !strings.HasSuffix(inner, "'") {
		t.Fatalf("ExecStopPost is %q", line)
	}
	inner = strings.NewReplacer("$$", "$", "%%", "%").Replace(strings.TrimSuffix(inner, "'"))
	for from, to := range map[string]string{"/sys/fs/cgroup$": "$", "/proc/self/cgroup": filepath.Join(group, "self"), ">cgroup.subtree_control": ">>orders"} {
		if !strings.Contains(inner, from) {
			t.Fatalf("no %q in %q", from, inner)
		}
		inner = strings.ReplaceAll(inner, from, to)
	}
	if err := os.WriteFile(filepath.Join(group, "self"), []byte("1:name=systemd:/\n0::"+group+"/.control\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/bin/sh", "-c", inner).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	orders, err := os.ReadFile(filepath.Join(group, "orders"))
	if err != nil || string(orders) != "-cpuset\n-cpu\n-memory\n-pids\n" {
		t.Errorf("orders: %q, %v", orders, err)
	}
}

// The commands of the unit are run as they stand, but for the paths.
func TestTheUnitTellsABadFileFromAGoodOne(t *testing.T) {
	t.Parallel()
	u := readUnit(t, unitFile)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for path, text := range map[string]string{good: "network: {name: ber}\n" + lasting, bad: "bad: 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(line, file string) (string, error) {
		argv := strings.Fields(strings.ReplaceAll(line, installedConf, file))
		if argv[0] != installed {
			t.Fatalf("%s is not our program", line)
		}
		out, err := exec.Command(realrun.Binary(t), argv[1:]...).CombinedOutput()
		return string(out), err
	}
	reload := u["Service.ExecReload"]
	if len(reload) != 2 || !strings.HasSuffix(reload[1], "kill -HUP $MAINPID") {
		t.Fatalf("a reload is %q; want a check, then HUP", reload)
	}
	for _, line := range []string{reload[0], u.one("Service.ExecStartPre")} {
		if out, err := run(line, good); err != nil || out != "" {
			t.Errorf("%s of a good file: %v, %d bytes for the journal: %s", line, err, len(out), out)
		}
		if out, err := run(line, bad); err == nil || !strings.Contains(out, "bad.yaml:1:1") {
			t.Errorf("%s of a bad file: %v: %s", line, err, out)
		}
	}
	if line := u.one("Service.ExecStart"); !strings.HasPrefix(line, installed+" run -c "+installedConf) {
		t.Errorf("%s runs another file than is checked", line)
	}
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze here")
	}
	root := t.TempDir()
	for to, from := range map[string]string{
		"etc/systemd/system/stream-api.service":                  unitFile,
		"etc/systemd/system/stream-api.service.d/hardening.conf": hardeningFile,
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		// Whether commands are there is the machine's matter.
		text = []byte(strings.ReplaceAll(string(text), installed, "/bin/true"))
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	system := filepath.Join(root, "etc/systemd/system")
	out, err := exec.Command("systemd-analyze", "verify", "--recursive-errors=no", filepath.Join(system, "stream-api.service")).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "stream-api") || strings.Contains(line, "hardening.conf") {
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
	if err != nil && !t.Failed() {
		t.Logf("systemd-analyze verify: %v: %s", err, out)
	}
	// 8.9 without the drop-in.
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--root="+root, "--threshold=40", "--no-pager", "stream-api.service").CombinedOutput()
	if err != nil {
		t.Errorf("the hardened unit is exposed more than 4.0: %v: %s", err, out)
	}
}
