package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// sent counts the commands that clients send in a span; what a script does
// counts as the one command that it is, and what measures is left out.
func sent(t *testing.T, server *realtest.RedisServer, span time.Duration) (n int, most string) {
	t.Helper()
	monitor := exec.Command("redis-cli", "-s", server.Addr, "monitor")
	var out strings.Builder
	monitor.Stdout = &out
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(span) // the measure
	if err := monitor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = monitor.Wait() // killed
	command := regexp.MustCompile(`^[\d.]+ \[\d+ (\S+)\] "(\w+)"`)
	counts := map[string]int{}
	for line := range strings.Lines(out.String()) {
		if m := command.FindStringSubmatch(line); m != nil && m[1] != "lua" {
			n++
			counts[m[2]]++
		}
	}
	return n, fmt.Sprint(counts)
}

// An idle host sends a heartbeat every two seconds and hardly more, whatever the
// number of its types, with a scheduler that stands by. What a busy machine
// delays makes the figure smaller, never larger.
func TestAnIdleHostSendsFiveCommandsASecondAtMost(t *testing.T) {
	t.Parallel()
	const hosts, span = 4, 10 * time.Second
	server := realtest.Redis(t)
	for i := range 3 { // they take the seats, whose cost does not grow with the hosts
		realrun.Start(t, fmt.Sprintf("busy%d", i), server.URL(), "scheduler: {enabled: true}\n")
	}
	var services strings.Builder
	services.WriteString("services:\n")
	for i := range 12 {
		fmt.Fprintf(&services, "  t%d: {plugin: static, capacity: 4}\n", i)
	}
	realtest.Await(t, time.Minute, "three schedulers have a seat", func() bool {
		n, err := server.Client().ZCard(t.Context(), "seats").Result()
		return err == nil && n == 3
	})
	var idle []*realrun.Host
	for i := range hosts {
		idle = append(idle, realrun.Start(t, fmt.Sprintf("h%d", i), server.URL(), services.String()))
	}
	realtest.Await(t, time.Minute, "all hosts are up and nothing is on hold", func() bool {
		status := realrun.Status(t, server.URL())
		up := 0
		for _, h := range status.Hosts {
			if h.State == stream.Up {
				up++
			}
		}
		return up == hosts && status.Hold == nil
	})
	with, most := sent(t, server, span)
	for _, h := range idle {
		h.Kill()
	}
	// The schedulers' reading of hosts that are down goes on as before.
	without, _ := sent(t, server, span)
	each := float64(with-without) / hosts / span.Seconds()
	t.Logf("an idle host of twelve types sends %.1f commands a second", each)
	if each > 5 {
		t.Errorf("an idle host sends %.1f commands a second; of all: %s", each, most)
	}
	if each < 0.3 {
		t.Errorf("an idle host sends %.1f commands a second; not even its heartbeats were seen, so this shows nothing", each)
	}
}
