package boot

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	wanted   = flag.Bool("boot", false, "boot a Debian guest and run the rows on it")
	inside   = flag.Bool("container", false, "with -boot: run the rows in a container, which is quick and leaves out what only a machine shows")
	made     = flag.String("packages", "", "disk of packages that an earlier run made with this flag; made if it is not there")
	keep     = flag.String("console", "", "file that the guest's console is written to")
	hogs     = flag.Int("hogs", 1, "how many eat memory, one after the other, in each row about that")
	patience = flag.Duration("patience", 15*time.Minute, "how long anything may take: emulation on a busy machine is slow")
)

// guest is the machine under test.
type guest struct {
	init    int // of a container: its process 1
	conn    net.Conn
	answers *json.Decoder
	last    int64
}

func tool(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if len(out) > 4000 {
			out = out[len(out)-4000:]
		}
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// tree is the guest's file system; made once, as it takes minutes.
func tree(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("STREAM_API_BOOT_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "stream-api-boot")
	}
	root, made := filepath.Join(cache, "tree"), filepath.Join(cache, "tree.made")
	if _, err := os.Stat(made); err == nil {
		return root
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Log("debootstrap: some minutes, once")
	tool(t, nil, "debootstrap", "--variant=minbase",
		"--include=systemd-sysv,udev,dbus,procps,kmod,initramfs-tools,linux-image-cloud-amd64,redis-server,ca-certificates,ansible-core,python3-cffi-backend,python3-apt", "bookworm", root, "http://deb.debian.org/debian")
	write(t, made, "", 0o644)
	return root
}

const agentUnit = `[Unit]
Description=runs the commands of the tests
ConditionVirtualization=!container
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/local/bin/boot-agent serve
Restart=always
RestartSec=1
KillMode=process
OOMScoreAdjust=-1000
[Install]
WantedBy=multi-user.target
`

// image makes the guest's disk, with the agent in it.
func image(t *testing.T, root, dir string) string {
	t.Helper()
	tool(t, []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(root, "usr/local/bin/boot-agent"), "./test/boot/agent")
	units := filepath.Join(root, "etc/systemd/system")
	write(t, filepath.Join(units, "boot-agent.service"), agentUnit, 0o644)
	write(t, filepath.Join(root, "etc/hostname"), "ber\n", 0o644)
	write(t, filepath.Join(root, "etc/hosts"), "127.0.0.1 localhost ber\n", 0o644)
	// With none systemd takes each boot for the first, and enables what it likes.
	write(t, filepath.Join(root, "etc/machine-id"), strings.Repeat("0123456789abcdef", 2)+"\n", 0o444)
	if err := os.MkdirAll(filepath.Join(root, "var/log/journal"), 0o755); err != nil { // it outlives a boot
		t.Fatal(err)
	}
	links := map[string]string{"multi-user.target.wants/boot-agent.service": "../boot-agent.service"}
	for _, name := range []string{"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer"} {
		links[name] = "/dev/null"
	}
	for name, to := range links {
		path := filepath.Join(units, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	if *inside {
		return ""
	}
	return disk(t, root, dir, "root.ext4", "3G")
}

// disk makes a file system of a directory.
func disk(t *testing.T, from, dir, name, size string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	tool(t, nil, "/sbin/mkfs.ext4", "-q", "-d", from, path, size)
	return path
}

// power turns the guest on, and waits until its agent answers.
func power(t *testing.T, root, rootDisk, packages string) *guest {
	t.Helper()
	dir := t.TempDir()
	console := *keep
	if console == "" {
		console = filepath.Join(dir, "console")
	}
	kernels, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("the tree has %d kernels, %v; remove it to have it made anew", len(kernels), err)
	}
	release := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	sock := filepath.Join(dir, "port")
	// Emulated, as a virtual machine's own virtualisation is often none.
	cmd := exec.Command("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "1536",
		"-display", "none", "-monitor", "none", "-serial", "file:"+console, "-nic", "none",
		"-kernel", kernels[0], "-initrd", filepath.Join(root, "boot/initrd.img-"+release), "-append", "root=/dev/vda rw console=ttyS0 panic=-1",
		"-drive", "if=virtio,format=raw,cache=unsafe,file="+rootDisk, "-drive", "if=virtio,format=raw,readonly=on,file="+packages,
		"-device", "virtio-serial-pci", "-chardev", "socket,id=boot,path="+sock+",server=on,wait=off", "-device", "virtserialport,chardev=boot,name=boot")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the guest ends with it
		_ = cmd.Wait()
	})
	g := &guest{}
	for deadline := time.Now().Add(*patience); g.conn == nil; time.Sleep(100 * time.Millisecond) {
		if g.conn, err = net.Dial("unix", sock); err != nil && time.Now().After(deadline) {
			t.Fatalf("QEMU opens no port: %v", err)
		}
	}
	t.Cleanup(func() { _ = g.conn.Close() })
	g.answers = json.NewDecoder(bufio.NewReader(g.conn))
	g.again(t, "")
	return g
}

// again waits until the guest's agent answers, of another boot than this one. An
// order that is on its way when a machine goes down is lost, so none is waited
// for long.
func (g *guest) again(t *testing.T, boot string) {
	t.Helper()
	for deadline := time.Now().Add(*patience); time.Now().Before(deadline); {
		out, code, err := g.ask("cat /proc/sys/kernel/random/boot_id", 5*time.Second)
		if err == nil && code == 0 && out != boot {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("the guest does not come up")
}

// ask has the guest run a command and gives what it says.
func (g *guest) ask(command string, limit time.Duration) (out string, code int, err error) {
	if g.init != 0 {
		return g.enter(command)
	}
	g.last++
	line, err := json.Marshal(map[string]any{"ID": g.last, "Run": command})
	if err != nil {
		return "", 0, err
	}
	if err := g.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", 0, err
	}
	if _, err := g.conn.Write(append(line, '\n')); err != nil {
		return "", 0, err
	}
	for {
		var a struct {
			ID   int64
			Out  string
			Code int
		}
		if err := g.answers.Decode(&a); err != nil {
			// A decoder that failed stays so.
			g.answers = json.NewDecoder(bufio.NewReader(g.conn))
			return "", 0, fmt.Errorf("%s: %w", command, err)
		}
		if a.ID == g.last {
			return strings.TrimRight(a.Out, "\n"), a.Code, nil
		}
	}
}

// try gives a command's exit code beside what it says.
func (g *guest) try(t *testing.T, command string) (string, int) {
	t.Helper()
	out, code, err := g.ask(command, *patience)
	if err != nil {
		t.Fatal(err)
	}
	return out, code
}

// run expects a command to succeed.
func (g *guest) run(t *testing.T, command string) string {
	t.Helper()
	out, code := g.try(t, command)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", command, code, out)
	}
	return out
}

// await waits until a command succeeds, and gives what it says.
func (g *guest) await(t *testing.T, what, command string) string {
	t.Helper()
	var out string
	var code int
	for deadline := time.Now().Add(*patience); time.Now().Before(deadline); time.Sleep(time.Second) {
		if out, code = g.try(t, command); code == 0 {
			return out
		}
	}
	state, _ := g.try(t, "systemctl status stream-api --no-pager -n 30; stream-api status")
	t.Fatalf("never: %s: %s: exit code %d\n%s\n%s", what, command, code, out, state)
	return ""
}
