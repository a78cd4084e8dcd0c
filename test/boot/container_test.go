package boot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// container makes a root of its own for systemd: what it may change of the
// kernel, its settings and its clock, is not there or read-only.
// $1: the file system; $2: a directory for what it writes; $3: the packages; $4: a cgroup v2 of its own.
const container = `set -e
echo $$ >"$4/cgroup.procs"
exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation private sh -c '
set -e
mount -t tmpfs tmpfs /tmp/.boot 2>/dev/null || { mkdir -p /tmp/.boot; mount -t tmpfs tmpfs /tmp/.boot; }
root=/tmp/.boot/root; mkdir $root
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" $root
cd $root
mount -t proc proc proc
mount --bind proc/sys proc/sys; mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for n in null zero full random urandom tty; do touch dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm; mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts; ln -s pts/ptmx dev/ptmx; mount -t tmpfs tmpfs dev/shm
ln -s /proc/self/fd dev/fd
mount -o ro,loop "$3" mnt
hostname ber
# Not chroot, below which units make no user namespaces.
mkdir .old; pivot_root . .old; umount -l /.old; rmdir /.old
exec env -i container=boot PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --bounding-set -sys_time,-sys_module,-sys_rawio /sbin/init
' sh "$@"`

// contain starts the guest's systemd in a container instead of a machine.
func contain(t *testing.T, root, packages string) *guest {
	t.Helper()
	mount := "/sys/fs/cgroup"
	if _, err := os.Stat(mount + "/unified"); err == nil {
		mount += "/unified" // beside v1
	}
	group := filepath.Join(mount, fmt.Sprintf("stream-api-boot-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", container, "sh", root, dir, packages, group)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0o600) // unshare takes the rest along
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out, err := exec.Command("sh", "-c", `for i in $(seq 50); do find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [ -e "$1" ] || exit 0; sleep 0.2; done; exit 1`, "sh", group).CombinedOutput()
		if err != nil {
			t.Errorf("%s is left: %v %s", group, err, out)
		}
	})
	g := &guest{}
	for deadline := time.Now().Add(*patience); g.init == 0 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		// unshare's child is the container's process 1, once it is systemd.
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			continue
		}
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && strings.TrimSpace(string(name)) == "systemd" {
			g.init = pid
		}
	}
	if g.init == 0 {
		t.Fatal("no systemd came up in the container")
	}
	g.await(t, "systemd is up", "systemctl is-system-running --wait >/dev/null || test $(systemctl is-system-running) = degraded")
	return g
}

// enter runs a command in the container.
func (g *guest) enter(command string) (string, int, error) {
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(g.init), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", "/bin/bash", "-c", command)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	text := strings.TrimRight(string(out), "\n")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return text, exit.ExitCode(), nil
	}
	return text, 0, err
}
