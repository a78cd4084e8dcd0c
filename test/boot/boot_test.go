package boot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// children is how many are on air: eighteen that end on TERM, one that is told
// INT, and one that is deaf to TERM.
const children = 20

const conf = "/etc/stream-api/config.yaml"

// file is the host's, and more at its end. The lease is long, as an emulated
// machine is slow.
func file(more string) string {
	var keys []string
	for i := range children - 2 {
		keys = append(keys, fmt.Sprintf("s%02d", i))
	}
	service := func(name, args, stop string) string {
		return fmt.Sprintf("  %s:\n    plugin: {name: exec, path: /usr/local/bin/boot-agent, args: [%s], stop: {%s}}\n    capacity: 30\n", name, args, stop)
	}
	return "network: {redis: \"redis://127.0.0.1:6379/0\"}\nlease: {ttl: 40s, beat: 5s}\nlog: {format: console}\n" +
		"sources:\n" +
		"  - {name: many, plugin: static, vars: {streams: [" + strings.Join(keys, ", ") + "]}, chain: [work]}\n" +
		"  - {name: one, plugin: static, vars: {streams: [x0]}, chain: [intc, deaf]}\n" +
		"services:\n" +
		service("work", `child, "${stream:key}"`, "grace: 20s") +
		service("intc", "child, intc", "signal: INT, grace: 20s") +
		service("deaf", "deaf, deaf", "grace: 2s") + more
}

// put writes the host's file.
func (g *guest) put(t *testing.T, content string) {
	t.Helper()
	g.run(t, "cat >"+conf+" <<'END'\n"+content+"END\nchown root:stream-api "+conf+"; chmod 640 "+conf)
}

// onAir is each child's pid, time of start and arguments.
func (g *guest) onAir(t *testing.T) string {
	t.Helper()
	return g.run(t, `for p in $(pgrep -f '^/usr/local/bin/boot-agent (child|deaf) ' || true); do echo $p $(cut -d' ' -f22 /proc/$p/stat) $(tr '\0' ' ' </proc/$p/cmdline); done | sort -n`)
}

// full waits until all children run.
func (g *guest) full(t *testing.T) {
	t.Helper()
	g.await(t, "all children run", fmt.Sprintf(`test $(pgrep -fc '^/usr/local/bin/boot-agent (child|deaf) ') = %d`, children))
}

func (g *guest) mainPID(t *testing.T) string {
	t.Helper()
	return g.run(t, "systemctl show -P MainPID stream-api")
}

// took waits until a life that began after the mark has adopted n children, and
// so renewed their deadlines: emulated, a start and the next take longer than
// one lasts.
func (g *guest) took(t *testing.T, mark string, n int) {
	t.Helper()
	g.await(t, fmt.Sprintf("a new life adopts %d children", n), fmt.Sprintf("test $(journalctl --after-cursor='%s' -u stream-api -o cat | sed -n '/the host starts/,$p' | grep -c reason=adopted) -ge %d", mark, n))
}

// adopted waits until another life of the host is at work.
func (g *guest) adopted(t *testing.T, version string) {
	t.Helper()
	g.await(t, "the host is ready as "+version, "systemctl is-active -q stream-api && stream-api hosts ls | grep -w ber | grep -w "+version)
}

// mark gives what journal needs to tell what comes from what was.
func (g *guest) mark(t *testing.T) string {
	t.Helper()
	return g.run(t, "journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'")
}

// journal waits for a line after the mark.
func (g *guest) journal(t *testing.T, mark, priority, text string) {
	t.Helper()
	g.await(t, "the journal says "+text, "journalctl --after-cursor='"+mark+"' -u stream-api -p "+priority+" -o cat | grep -F -- '"+text+"'")
}

// same expects the same children as before.
func (g *guest) same(t *testing.T, before, after string) {
	t.Helper()
	if now := g.onAir(t); now != before {
		t.Errorf("after %s other children run.\nbefore:\n%s\nnow:\n%s", after, before, now)
	}
	if n := len(strings.Split(before, "\n")); n != children {
		t.Errorf("%d children were on air before %s; want %d", n, after, children)
	}
}

// packages makes two of them, of versions v1 and v2, and gives a disk with both.
func packages(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(*made); err == nil {
		return *made
	}
	dir := t.TempDir()
	env := []string{"SOURCE_DATE_EPOCH=1700000000", "CGO_ENABLED=0"}
	tool(t, env[:1], "deploy/package/stage.sh", filepath.Join(dir, "stage"))
	for _, v := range []string{"v1", "v2"} {
		program := filepath.Join(dir, "stream-api."+v)
		tool(t, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+v, "-o", program, "./cmd/stream-api")
		tool(t, env[:1], "deploy/package/deb.sh", program, runtime.GOARCH, strings.TrimPrefix(v, "v"), filepath.Join(dir, "stage"), filepath.Join(dir, "disk", v+".deb"))
		tool(t, nil, "cp", program, filepath.Join(dir, "disk", v))
	}
	tool(t, nil, "cp", "-R", "deploy/ansible", filepath.Join(dir, "disk"))
	if *made != "" {
		return disk(t, filepath.Join(dir, "disk"), filepath.Dir(*made), filepath.Base(*made), "300M")
	}
	return disk(t, filepath.Join(dir, "disk"), dir, "packages.ext4", "300M")
}

// missing says why no guest can be booted here; empty: it can.
func missing() string {
	if !*wanted {
		return "not asked for: make boot"
	}
	if os.Getuid() != 0 {
		return "debootstrap wants root"
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "the guest is an amd64 one"
	}
	for _, name := range []string{"debootstrap", "qemu-system-x86_64", "/sbin/mkfs.ext4", "dpkg-deb"} {
		if _, err := exec.LookPath(name); err != nil {
			return name + " is missing: apt-get install debootstrap qemu-system-x86 e2fsprogs"
		}
	}
	return ""
}

// machine is a row that a container cannot show: it has the memory and the boot
// of the machine around it.
func machine(row func(*testing.T, *guest)) func(*testing.T, *guest) {
	return func(t *testing.T, g *guest) {
		if g.init != 0 {
			t.Skip("only on a machine")
		}
		row(t, g)
	}
}

func TestBoot(t *testing.T) {
	if why := missing(); why != "" {
		t.Skip(why)
	}
	dir := t.TempDir()
	debs := packages(t)
	root := tree(t)
	rootDisk := image(t, root, dir)
	var g *guest
	if *inside {
		g = contain(t, root, debs)
	} else {
		g = power(t, root, rootDisk, debs)
		g.run(t, "mount -o ro /dev/vdb /mnt")
	}
	g.run(t, "mkdir -p /var/log/children; chmod 1777 /var/log/children")
	for _, row := range []struct {
		name string
		test func(*testing.T, *guest)
	}{
		{"install", install},
		{"twenty children, each in a cgroup of its own", start},
		{"restart", restart},
		{"reload of a good file", reloadGood},
		{"reload of a bad file", reloadBad},
		{"reload of a file with a taken port", reloadPort},
		{"reload of a moved program", reloadMoved},
		{"kill -9 six times", kills},
		{"kill -9 with a bad file that is mended later", killsBad},
		{"a drop-in that takes the cgroups away", noCgroups},
		{"limits by cgroup, over a reload, a kill -9 and a restart", limits},
		{"upgrade with 12 s between unpack and configure", upgrade},
		{"upgrade over a file that is refused", upgradeRefused},
		{"kill --kill-whom=main -s TERM", leave},
		{"stop", stop},
		{"reboot", machine(reboot)},
		{"full disk", fullDisk},
		{"a memory hog with a limit of its own", machine(hogBound)},
		{"a memory hog with a limit on the unit", machine(hogLimited)},
		{"a memory hog without a limit", machine(hogFree)},
		{"remove and come back", remove},
		{"purge", purge},
		{"the Ansible role", ansible},
	} {
		t.Run(row.name, func(t *testing.T) { row.test(t, g) })
	}
}
