package boot

import (
	"fmt"
	"strings"
	"testing"
)

const limitService = "  bound:\n    plugin: {name: exec, path: /usr/local/bin/boot-agent, args: [child, bound], limits: {memory: 200MiB, pids: 50, cpu: 0.5, cpus: \"0\", nice: 5}}\n"

// limitFiles are what the kernel then says of the slot.
var limitFiles = map[string]string{
	"memory.max": "209715200", "memory.oom.group": "1", "pids.max": "50", "cpu.max": "50000 100000", "cpuset.cpus": "0", "cpu.weight.nice": "5",
}

const boundPID = "pgrep -f '^/usr/local/bin/boot-agent child bound'"

// limits: a restart ends what the kernel holds, as systemd starts nothing in a
// cgroup that hands controllers on; the host that adopts takes it up again.
func limits(t *testing.T, g *guest) {
	before := g.onAir(t)
	g.put(t, file(limitService))
	g.run(t, "systemctl reload stream-api && stream-api streams add tight --chain bound")
	pid := g.await(t, "the child with limits runs", boundPID)
	if g.init != 0 { // the controllers are with the machine around it, which has them in cgroup v1 or keeps them
		for _, look := range []string{"stream-api status", "stream-api doctor -c " + conf, "stream-api check-config " + conf, "stream-api events"} {
			g.await(t, look+" says that there is no limit", look+" | grep -F limits.memory")
		}
	} else {
		g.bound(t, pid, "its start")
	}
	for _, what := range []string{"systemctl reload stream-api", "kill -9 $(systemctl show -P MainPID stream-api)", "systemctl restart stream-api"} {
		mark := g.mark(t)
		g.run(t, what)
		g.took(t, mark, children+1)
		g.bound(t, pid, what)
	}
	g.run(t, "stream-api streams rm tight")
	g.await(t, "the child with limits is gone", "! "+boundPID)
	g.put(t, file(""))
	g.run(t, "systemctl reload stream-api")
	g.adopted(t, "v1")
	g.same(t, before, "what was done beside them")
}

// bound expects the same child as before, and its limits in force where the machine has them.
func (g *guest) bound(t *testing.T, pid, after string) {
	t.Helper()
	if now, _ := g.try(t, boundPID); now != pid {
		t.Errorf("after %s the child with limits is %q; it was %s", after, now, pid)
	}
	if g.init != 0 {
		return
	}
	slot := fmt.Sprintf("$(dirname /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/%s/cgroup))", pid)
	for name, want := range limitFiles {
		g.await(t, fmt.Sprintf("%s is %s after %s", name, want, after), fmt.Sprintf("test \"$(cat %s/%s)\" = '%s'", slot, name, want))
	}
	if host := g.run(t, "cat /proc/$(systemctl show -P MainPID stream-api)/cgroup"); !strings.HasSuffix(host, "/stream-api.service/stream-api-host") {
		t.Errorf("the host lives in %s", host)
	}
}

// limit puts a line into the unit, or takes it back.
func (g *guest) limit(t *testing.T, line string) {
	t.Helper()
	g.run(t, "rm -rf /etc/systemd/system/stream-api.service.d; test -z '"+line+"' || { mkdir -p /etc/systemd/system/stream-api.service.d; printf '[Service]\\n%s\\n' '"+line+
		"' >/etc/systemd/system/stream-api.service.d/limit.conf; }; systemctl daemon-reload; systemctl restart stream-api")
	g.adopted(t, "v1")
	g.full(t)
}

// hogService runs one that eats memory, once.
func hogService(limits string) string {
	return "  hog:\n    plugin: {name: exec, path: /usr/local/bin/boot-agent, args: [hog], restart: {delay: 1h, max_delay: 1h}" + limits + "}\n"
}

// hogged runs some that eat memory beside the children, one after the other,
// each until the kernel has ended it.
func (g *guest) hogged(t *testing.T, limits string) {
	t.Helper()
	g.put(t, file(hogService(limits)))
	g.run(t, "systemctl reload stream-api")
	g.full(t)
	before, pid := g.onAir(t), g.mainPID(t)
	supervisors := g.run(t, "pgrep -fc 'stream-api supervise'")
	for i := range *hogs {
		mark := g.mark(t)
		g.run(t, "dmesg -C; stream-api streams add greedy --chain hog")
		g.await(t, "the kernel ends the hog", "dmesg | grep -E 'Killed process [0-9]+ \\(boot-agent\\)'")
		g.await(t, "its slot says why it ended", "stream-api status | grep -w greedy | grep -F 'out of memory'")
		killed := g.run(t, "dmesg | grep -oE 'Killed process [0-9]+ \\([a-z-]+\\)' | sed 's/.*(//' | sort | uniq -c")
		lost := g.run(t, "journalctl --after-cursor='"+mark+"' -u stream-api -o cat | grep -cE 'lease.*(lost|lapsed)' || true")
		t.Logf("hog %d: the kernel killed %s; lines about a lost lease: %s", i+1, killed, lost)
		g.same(t, before, fmt.Sprintf("memory hog %d", i+1))
		if g.mainPID(t) != pid {
			t.Error("the host was killed")
		}
		if now := g.run(t, "pgrep -fc 'stream-api supervise'"); now < supervisors {
			t.Errorf("%s supervisors of %s are left", now, supervisors)
		}
		g.run(t, "systemctl is-active -q stream-api && systemctl is-active -q redis-server")
		g.run(t, "stream-api streams rm greedy")
		g.await(t, "the hog's slot is gone", "! stream-api status | grep -w greedy")
	}
}

func hogBound(t *testing.T, g *guest) {
	g.hogged(t, ", limits: {memory: 200MiB}")
}

func hogLimited(t *testing.T, g *guest) {
	g.limit(t, "MemoryMax=60%")
	g.hogged(t, "")
	g.limit(t, "")
}

func hogFree(t *testing.T, g *guest) {
	g.hogged(t, "")
	g.put(t, file(""))
	g.run(t, "systemctl reload stream-api")
	g.full(t)
}
