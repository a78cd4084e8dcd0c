package boot

import (
	"fmt"
	"strings"
	"testing"
)

func install(t *testing.T, g *guest) {
	mark := g.mark(t)
	g.run(t, "apt-get install -y /mnt/v1.deb")
	g.await(t, "the host runs", "systemctl is-active -q stream-api")
	g.journal(t, mark, "info", "it runs nothing and polls nothing")
	for command, want := range map[string]string{
		"systemctl is-enabled stream-api":                        "enabled",
		"stat -c '%U:%G %a' " + conf:                             "root:stream-api 640",
		"stat -c '%U:%G %a' /var/lib/stream-api":                 "stream-api:stream-api 755",
		"systemctl --failed --no-legend | wc -l":                 "0",
		"test -e /usr/share/man/man1/stream-api.1.gz; echo $?":   "0",
		"stream-api version | cut -d' ' -f2":                     "v1",
		"systemd-analyze verify stream-api.service 2>&1 | wc -l": "0",
	} {
		if got := g.run(t, command); got != want {
			t.Errorf("%s: %q; want %q", command, got, want)
		}
	}
}

func start(t *testing.T, g *guest) {
	g.put(t, file(""))
	mark := g.mark(t)
	g.run(t, "systemctl restart stream-api")
	g.full(t)
	g.journal(t, mark, "info", "each child gets a cgroup of its own")
	groups := g.run(t, `for p in $(pgrep -f '^/usr/local/bin/boot-agent (child|deaf) '); do grep ^0:: /proc/$p/cgroup; done | sort -u`)
	if n := len(strings.Split(groups, "\n")); n != children || strings.Count(groups, "stream-api.service/") != children {
		t.Errorf("%d cgroups below the unit:\n%s", n, groups)
	}
	if out, code := g.try(t, "stream-api doctor -c "+conf); code != 0 || strings.Contains(out, "no cgroup of their own") {
		t.Errorf("doctor: exit code %d\n%s", code, out)
	}
}

func restart(t *testing.T, g *guest) {
	before, pid := g.onAir(t), g.mainPID(t)
	g.run(t, "systemctl restart stream-api")
	g.adopted(t, "v1")
	g.same(t, before, "a restart")
	if g.mainPID(t) == pid {
		t.Error("nothing was restarted")
	}
}

func reloadGood(t *testing.T, g *guest) {
	before, pid, mark := g.onAir(t), g.mainPID(t), g.mark(t)
	g.run(t, "systemctl reload stream-api")
	g.journal(t, mark, "info", "the host starts")
	g.adopted(t, "v1")
	g.same(t, before, "a reload")
	if g.mainPID(t) != pid {
		t.Error("a reload is a restart")
	}
}

func reloadBad(t *testing.T, g *guest) {
	before, pid, mark := g.onAir(t), g.mainPID(t), g.mark(t)
	g.run(t, "echo 'bad: 1' >>"+conf)
	if out, code := g.try(t, "systemctl reload stream-api"); code == 0 {
		t.Errorf("systemctl says that a bad file was taken up: %s", out)
	}
	// Who sends HUP by hand has no check before it.
	g.run(t, "systemctl kill --kill-whom=main -s HUP stream-api")
	g.journal(t, mark, "err", "the changed file is not taken up")
	g.run(t, "systemctl is-active -q stream-api")
	g.same(t, before, "a refused reload")
	if g.mainPID(t) != pid {
		t.Error("a refused reload is a restart")
	}
	g.put(t, file(""))
}

func reloadPort(t *testing.T, g *guest) {
	before, pid, mark := g.onAir(t), g.mainPID(t), g.mark(t)
	g.put(t, file("web: {listen: \"127.0.0.1:6379\"}\n")) // Redis has it
	if out, code := g.try(t, "systemctl reload stream-api"); code == 0 {
		t.Errorf("systemctl says that a taken port was taken up: %s", out)
	}
	g.run(t, "systemctl kill --kill-whom=main -s HUP stream-api")
	g.journal(t, mark, "err", "address already in use")
	g.run(t, "systemctl is-active -q stream-api")
	g.same(t, before, "a reload to a taken port")
	if g.mainPID(t) != pid {
		t.Error("a refused reload is a restart")
	}
	g.put(t, file(""))
}

func reloadMoved(t *testing.T, g *guest) {
	before, pid := g.onAir(t), g.mainPID(t)
	g.run(t, "mv /usr/bin/stream-api /usr/bin/stream-api.old && install /mnt/v2 /usr/bin/stream-api && systemctl reload stream-api")
	g.adopted(t, "v2")
	g.run(t, "mv /usr/bin/stream-api.old /usr/bin/stream-api && systemctl reload stream-api")
	g.adopted(t, "v1")
	g.same(t, before, "two reloads of changed programs")
	if g.mainPID(t) != pid {
		t.Error("a reload is a restart")
	}
}

func kills(t *testing.T, g *guest) {
	before := g.onAir(t)
	for range 6 {
		mark := g.mark(t)
		g.run(t, "kill -9 "+g.mainPID(t))
		g.took(t, mark, children)
	}
	g.same(t, before, "six kills")
}

func killsBad(t *testing.T, g *guest) {
	g.run(t, "echo 'bad: 1' >>"+conf+"; kill -9 $(systemctl show -P MainPID stream-api)")
	g.await(t, "eight starts failed", "test $(systemctl show -P NRestarts stream-api) -ge 14")
	if state := g.run(t, "systemctl show -P ActiveState stream-api"); state == "failed" {
		t.Error("the unit is failed for good")
	}
	g.put(t, file(""))
	g.adopted(t, "v1")
	g.full(t)
}

func noCgroups(t *testing.T, g *guest) {
	mark := g.mark(t)
	g.run(t, "mkdir -p /etc/systemd/system/stream-api.service.d; printf '[Service]\\nRestrictNamespaces=yes\\n' >/etc/systemd/system/stream-api.service.d/bad.conf; systemctl daemon-reload; systemctl restart stream-api")
	g.journal(t, mark, "info", "children get no cgroup of their own")
	g.run(t, "rm -r /etc/systemd/system/stream-api.service.d; systemctl daemon-reload; systemctl restart stream-api")
	g.adopted(t, "v1")
	g.full(t)
}

func upgrade(t *testing.T, g *guest) {
	before, pid := g.onAir(t), g.mainPID(t)
	g.run(t, "dpkg --unpack /mnt/v2.deb && sleep 12 && dpkg --configure stream-api")
	g.adopted(t, "v2")
	g.same(t, before, "an upgrade")
	if g.mainPID(t) != pid {
		t.Error("an upgrade is a restart")
	}
}

func upgradeRefused(t *testing.T, g *guest) {
	before := g.onAir(t)
	g.run(t, "echo 'bad: 1' >>"+conf)
	if out := g.run(t, "dpkg --force-confold -i /mnt/v1.deb"); !strings.Contains(out, "the old version goes on") {
		t.Errorf("dpkg says:\n%s", out)
	}
	// Commands read the bad file too, so the process itself is asked.
	if got := g.run(t, "/proc/$(systemctl show -P MainPID stream-api)/exe version"); !strings.Contains(got, " v2 ") {
		t.Errorf("the host goes on as %s", got)
	}
	g.put(t, file(""))
	g.run(t, "systemctl reload stream-api")
	g.adopted(t, "v1")
	g.same(t, before, "an upgrade over a bad file")
}

// toldToEnd expects each child to have got the signal of its service, once.
func (g *guest) toldToEnd(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{"s00": "got terminated", "s17": "got terminated", "intc": "got interrupt", "deaf": "got terminated"} {
		if got := g.run(t, "grep -v start /var/log/children/"+name+" || true"); got != want {
			t.Errorf("child %s: %q; want %q", name, got, want)
		}
	}
}

// fresh forgets what children wrote, and starts the host with all of them.
func (g *guest) fresh(t *testing.T) {
	t.Helper()
	g.run(t, "rm -f /var/log/children/*; systemctl start stream-api")
	g.full(t)
}

// leftBehind expects the unit to be off, with nothing of it alive.
func (g *guest) leftBehind(t *testing.T) {
	t.Helper()
	for command, want := range map[string]string{
		"systemctl is-active stream-api || true":                                                                        "inactive",
		"pgrep -fc '^/usr/local/bin/boot-agent (child|deaf) ' || true":                                                  "0",
		"pgrep -xc stream-api || true":                                                                                  "0",
		"ls -d /sys/fs/cgroup/system.slice/stream-api.service || true":                                                  "ls: cannot access '/sys/fs/cgroup/system.slice/stream-api.service': No such file or directory",
		"redis-cli --scan --pattern 'stream:*:*' | while read k; do redis-cli hget $k host; done | grep -c ber || true": "0",
	} {
		if got := g.run(t, command); got != want {
			t.Errorf("%s: %q; want %q", command, got, want)
		}
	}
}

func leave(t *testing.T, g *guest) {
	g.run(t, "systemctl stop stream-api")
	g.fresh(t)
	mark := g.mark(t)
	g.run(t, "systemctl kill --kill-whom=main -s TERM stream-api")
	g.await(t, "the unit ends", "test $(systemctl is-active stream-api) = inactive")
	g.journal(t, mark, "info", "leaving")
	g.toldToEnd(t)
	g.run(t, "sleep 3") // longer than RestartSec
	g.leftBehind(t)
}

func stop(t *testing.T, g *guest) {
	g.fresh(t)
	g.run(t, "systemctl stop stream-api")
	g.toldToEnd(t)
	g.leftBehind(t)
}

func reboot(t *testing.T, g *guest) {
	g.fresh(t)
	boot := g.run(t, "cat /proc/sys/kernel/random/boot_id")
	g.run(t, "systemctl --no-block reboot")
	g.again(t, boot)
	g.toldToEnd(t)
	g.full(t)
	for command, want := range map[string]string{
		"systemctl --failed --no-legend | wc -l": "0",
		// In the order of the boot before: the host had left when Redis was stopped.
		`journalctl -b -1 -o cat | grep -nE 'Stopped stream-api.service|Stopping redis-server.service' | tail -n 2 | sed 's/^[0-9]*://; s/ - .*//'`: "Stopped stream-api.service\nStopping redis-server.service",
	} {
		if got := g.run(t, command); got != want {
			t.Errorf("%s: %q; want %q", command, got, want)
		}
	}
	g.run(t, "mount -o ro /dev/vdb /mnt")
}

func fullDisk(t *testing.T, g *guest) {
	g.run(t, "systemctl stop stream-api; mount -t tmpfs -o size=32m,mode=755 tmpfs /var/lib/stream-api; chown stream-api: /var/lib/stream-api")
	g.fresh(t)
	before := g.onAir(t)
	g.run(t, "head -c 100M /dev/zero >/var/lib/stream-api/full || true")
	for _, what := range []string{"systemctl restart stream-api", "systemctl reload stream-api", "kill -9 $(systemctl show -P MainPID stream-api)"} {
		mark := g.mark(t)
		g.run(t, what)
		g.took(t, mark, children)
	}
	g.same(t, before, "restart, reload and kill -9 on a full disk")
	if out, _ := g.try(t, "stream-api doctor -c "+conf); !strings.Contains(out, "the disk of the state directory") {
		t.Errorf("doctor says nothing of a full disk:\n%s", out)
	}
	g.run(t, "stream-api streams add late --chain work")
	g.await(t, "the new slot says why it cannot start", "stream-api status | grep -F 'no space left on device'")
	g.run(t, "rm /var/lib/stream-api/full")
	g.await(t, "the new slot starts", "pgrep -f '^/usr/local/bin/boot-agent child late'")
	g.run(t, "stream-api streams rm late")
	g.full(t)
	g.run(t, "systemctl stop stream-api; umount /var/lib/stream-api")
	g.fresh(t)
}

func remove(t *testing.T, g *guest) {
	g.run(t, "rm -f /var/log/children/*; systemctl restart stream-api")
	g.full(t)
	g.run(t, "apt-get remove -y stream-api")
	g.leftBehind(t)
	if out := g.run(t, "cat "+conf); !strings.Contains(out, "sources:") {
		t.Error("a removal takes the file")
	}
	g.run(t, "apt-get install -y /mnt/v1.deb")
	g.adopted(t, "v1")
	g.full(t)
}

func purge(t *testing.T, g *guest) {
	g.run(t, "apt-get purge -y stream-api")
	g.leftBehind(t)
	left := g.run(t, "find / -xdev -name '*stream-api*' -not -path '/proc/*' -not -path '/var/log/*' -not -path '/var/cache/*' -not -path '/root/*' -not -path '/tmp/*'")
	if left != "" {
		t.Errorf("a purge leaves:\n%s", left)
	}
	if got := g.run(t, "systemctl --failed --no-legend | wc -l; getent passwd stream-api | cut -d: -f1"); got != fmt.Sprint("0\n", "stream-api") {
		t.Errorf("after a purge: %q", got)
	}
}

const playbook = `- hosts: localhost
  connection: local
  gather_facts: false
  roles:
    - role: /mnt/ansible/stream_api
      vars:
        stream_api_deb: /mnt/%s.deb
        stream_api_config: "{{ lookup('file', '/root/wanted.yaml') | from_yaml }}"
`

// play runs the role with a package and a configuration.
func (g *guest) play(t *testing.T, version, config string) (output string, code int) {
	t.Helper()
	g.run(t, "cat >/root/wanted.yaml <<'END'\n"+config+"END\ncat >/root/play.yaml <<'END'\n"+fmt.Sprintf(playbook, version)+"END\n")
	return g.try(t, "LC_ALL=C.UTF-8 ANSIBLE_LOCALHOST_WARNING=false ansible-playbook -i localhost, /root/play.yaml 2>&1")
}

// ansible: what configuration management does, first and every half an hour.
func ansible(t *testing.T, g *guest) {
	played := func(what, version, config string, code int, want string) {
		t.Helper()
		out, got := g.play(t, version, config)
		if got != code || !strings.Contains(out, want) {
			t.Fatalf("%s: code %d; want %d and %q in:\n%s", what, got, code, want, out)
		}
	}
	played("a first run", "v1", file(""), 0, "failed=0")
	g.full(t)
	before := g.onAir(t)
	played("a second run", "v1", file(""), 0, "changed=0")
	more := "  more: {plugin: static, capacity: 1}\n"
	played("an upgrade with another file", "v2", file(more), 0, "failed=0")
	g.adopted(t, "v2")
	g.await(t, "the new service is offered", "stream-api services ls | grep -w more")
	g.same(t, before, "an upgrade by the role")
	played("a file that is wrong", "v2", strings.Replace(file(more), "capacity", "capcity", 1), 2, "capcity")
	played("a file that would stop children", "v2", strings.Replace(file(more), "chain: [work]", "chain: [more]", 1), 2, fmt.Sprintf("%d children would stop", children-2))
	played("the file that is in place", "v2", file(more), 0, "changed=0")
	g.same(t, before, "files that were not taken up")
	g.run(t, "sed -i 's/chain: \\[work\\]/chain: [more]/' /root/wanted.yaml && sed -i 's/^      vars:/&\\n        stream_api_stops: true/' /root/play.yaml && LC_ALL=C.UTF-8 ansible-playbook -i localhost, /root/play.yaml")
	g.await(t, "they stopped", "! pgrep -f '^/usr/local/bin/boot-agent child s'")
}
