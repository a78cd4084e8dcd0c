package seclude

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is the secluded process, too: it says what it is by the word of its own children.
func TestMain(m *testing.M) {
	if role := os.Getenv("TEST_MAIN"); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

func play(role string) int {
	if role == "without close_range" {
		closeRange = func(uint, uint, uint) error { return unix.ENOSYS }
	}
	if err := Process(); err != nil {
		fmt.Println(err)
		return 1
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	own, err2 := os.Readlink("/proc/self/fd/9") // still there for this process itself
	fmt.Println("dumpable", dumpable, err, "own", filepath.Base(own), err2)
	info, err := os.Stat("/proc/self/environ")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("environ of", info.Sys().(*syscall.Stat_t).Uid)
	cmd := exec.Command("/bin/sh", "-c", "ulimit -Hc; ls -l /proc/self/fd")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestNothingOfTheProcessReachesAnother(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"with close_range", "without close_range"} {
		path := filepath.Join(t.TempDir(), "lock")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }() // nothing was written to it
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		// As a shell does that has a lock of its own: descriptor 9.
		cmd := exec.Command("/bin/sh", "-c", `exec 9<"$LOCK"; exec "$SELF"`)
		cmd.Env = []string{"TEST_MAIN=" + role, "LOCK=" + path, "SELF=" + self, "PATH=" + os.Getenv("PATH")}
		uid := os.Getuid()
		if uid == 0 { // root's files belong to root whatever they are
			uid = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), NoSetGroups: true}}
			makeReadable(t, path, &cmd.Env, self)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", role, err, out)
		}
		text := string(out)
		for _, want := range []string{"dumpable 0 <nil> own lock <nil>\n", "environ of 0\n0\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", role, want, text)
			}
		}
		for line := range strings.Lines(text) {
			_, link, ok := strings.Cut(strings.TrimSpace(line), " -> ")
			fields := strings.Fields(line)
			if !ok || strings.HasPrefix(link, "/proc/") {
				continue // ls's own look
			}
			if fd, err := strconv.Atoi(fields[len(fields)-3]); err != nil || fd > 2 {
				t.Errorf("%s: a child has descriptor %s", role, strings.TrimSpace(line))
			}
		}
	}
}

// makeReadable lets another user have the lock and the program, which lie where only this one may look.
func makeReadable(t *testing.T, lock string, env *[]string, self string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "secluded")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o644), os.WriteFile(filepath.Join(dir, "self"), program, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, kv := range *env {
		switch {
		case strings.HasPrefix(kv, "LOCK="):
			(*env)[i] = "LOCK=" + filepath.Join(dir, "lock")
		case strings.HasPrefix(kv, "SELF="):
			(*env)[i] = "SELF=" + filepath.Join(dir, "self")
		}
	}
}
