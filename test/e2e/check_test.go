package e2e

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// A real nginx is stopped: nothing new comes to its host within fall × interval + 1 s, what it holds stays, and it
// takes again once it is back.
func TestAStoppedNginxTakesNothingNew(t *testing.T) {
	t.Parallel()
	conf, port := nginxConf(t, t.TempDir())
	program := realtest.Program(t, "nginx", "nginx")
	start := func() *exec.Cmd {
		cmd := exec.Command(program, "-c", conf)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	stop := func(cmd *exec.Cmd) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	nginx := start()
	redis, list := realtest.Redis(t), newListing(t, "s0", "s1")
	const interval, fall = time.Second, 2
	origin := fmt.Sprintf("services:\n  origin:\n    plugin: static\n    stream_vars: {url: x}\n    check: {http: \"http://127.0.0.1:%d/\", interval: %s, timeout: 900ms, fall: %d, rise: 2}\n", port, interval, fall)
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("origin")+origin)
	realrun.Start(t, "b", redis.URL(), quickLease+"services:\n  origin: {plugin: static, stream_vars: {url: x}}\n")
	holds := func(host string) (n int) {
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			for _, slot := range s.Slots {
				if slot.Host == host && slot.State == stream.Running {
					n++
				}
			}
		}
		return n
	}
	realtest.Await(t, time.Minute, "each host has one", func() bool { return holds("a") == 1 && holds("b") == 1 })
	stopped := time.Now()
	stop(nginx)
	keys := []string{"s0", "s1"}
	for i := 2; time.Since(stopped) < fall*interval+5*time.Second; i++ { // as streams come: what is measured is when they are placed
		keys = append(keys, fmt.Sprintf("s%d", i))
		list.set(keys...)
		time.Sleep(500 * time.Millisecond)
	}
	realtest.Await(t, time.Minute, "all run", func() bool { return holds("a")+holds("b") == len(keys) })
	kept := int64(0)
	for _, e := range realrun.Events(t, redis.URL(), 10000) {
		switch {
		case e.Event == "check" && e.Host == "a":
			kept = e.At()
		case e.Event == "placed" && e.Host == "a" && kept > 0:
			t.Errorf("%s is placed there %d ms after its check was told", e.Stream, e.At()-kept)
		}
	}
	if late := time.UnixMilli(kept).Sub(stopped); kept == 0 || late > fall*interval+time.Second {
		t.Errorf("told %v after nginx was stopped, more than %v", late, fall*interval+time.Second)
	} else {
		t.Logf("told %v after nginx was stopped", late.Round(time.Millisecond))
	}
	if holds("a") == 0 {
		t.Error("what it held is gone")
	}
	before := holds("a")
	nginx = start()
	defer stop(nginx)
	realtest.Await(t, time.Minute, "it is well again", func() bool {
		for _, h := range realrun.Status(t, redis.URL()).Hosts {
			if h.Host == "a" {
				return h.Services[0].State == stream.Up && h.Services[0].Reason == ""
			}
		}
		return false
	})
	list.set(append(keys, "after")...)
	realtest.Await(t, time.Minute, "it takes again", func() bool { return holds("a") == before+1 })
}
