package runners_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// playRunner is a runner in a process of its own, to be killed and frozen.
// It offers one service, work, whose children tell their story.
func playRunner() int {
	client, s, q, err := dialRedis(os.Getenv("ADDR"), os.Getenv("HOST"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = client.Close() }()
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	capacity := 10
	script, err := stream.ParseTemplate(escape(story))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag, _ := stream.ParseTemplate("-c")
	notes, _ := stream.ParseTemplate(os.Getenv("NOTES"))
	r, err := runners.New(s, q, runners.Options{
		Host: os.Getenv("HOST"), StateDir: os.Getenv("STATE"), Self: self, TTL: ttl, Beat: beat, Lookup: hereLookup,
		OnStoreLoss: plan.StoreLoss(os.Getenv("MODE")), Version: "test", Retry: retry, SlowRetry: time.Second,
		Log: zerolog.New(os.Stderr).With().Timestamp().Logger(),
		Services: []plan.Service{{Type: "work", Capacity: &capacity, OnSourceChange: plan.Restart, OnNewSession: plan.Ignore, OnStoreLoss: plan.StoreLoss(os.Getenv("MODE")), Exec: &plan.Exec{
			Path: "/bin/sh", Args: []stream.Template{flag, script}, Env: map[string]stream.Template{"NOTES": notes},
			Rules: supervisor.Rules{Stop: supervisor.Stop{Signal: "TERM", Grace: 5 * time.Second}, Restart: retry},
		}}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP)
	again := make(chan struct{}, 4)
	ctx, detach := context.WithCancel(context.Background())
	defer detach()
	go func() {
		for sig := range signals {
			switch sig {
			case syscall.SIGTERM:
				r.Leave()
			case syscall.SIGHUP:
				again <- struct{}{}
				fallthrough
			default:
				detach()
			}
		}
	}()
	if err := r.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {
	case <-again:
		fmt.Fprintln(os.Stderr, syscall.Exec(self, os.Args, os.Environ()))
		return 1
	default:
		return 0
	}
}

// runProcess is a runner in a process of its own.
type runProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
}

// spawn starts one for the host.
func (h *host) spawn(mode plan.StoreLoss) *runProcess {
	h.w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.w.t.Fatal(err)
	}
	p := &runProcess{t: h.w.t, cmd: exec.Command(self), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "TEST_MAIN=runner", "HOST="+h.name, "STATE="+h.state, "NOTES="+h.notes, "ADDR="+h.w.redis.Addr, "MODE="+string(mode))
	p.cmd.Stderr = h.log
	if err := p.cmd.Start(); err != nil {
		h.w.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is what the test decided
	}()
	h.w.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (p *runProcess) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

func (p *runProcess) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *runProcess) await() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Fatal("the runner's process does not end")
	}
}

// noneTwice fails if two children of one stream ever lived at once. A child
// that was killed wrote no stop; it ended before anything was seen of it
// that other says, so its end is when it was last seen alive.
func noneTwice(t *testing.T, all []mark, endOf func(mark) time.Time) {
	t.Helper()
	type span struct{ from, to time.Time }
	spans := map[string][]span{}
	for _, m := range all {
		if m.what == "start" {
			spans[m.stream] = append(spans[m.stream], span{m.at, endOf(m)})
		}
	}
	for key, list := range spans {
		for i, a := range list {
			for _, b := range list[i+1:] {
				if a.from.Before(b.to) && b.from.Before(a.to) {
					t.Errorf("%s ran twice: %v to %v and %v to %v", key, a.from, a.to, b.from, b.to)
				}
			}
		}
	}
}

// observer sees which children live, a hundred times a second, and so knows
// when those that were killed ended.
type observer struct {
	last map[int]time.Time
	stop chan struct{}
	done chan struct{}
}

func observe(t *testing.T, hosts ...*host) *observer {
	o := &observer{last: map[int]time.Time{}, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-o.stop:
				return
			case <-tick.C:
			}
			for _, h := range hosts {
				for _, m := range h.marks() {
					if m.what == "start" && lives(m.pid) {
						o.last[m.pid] = time.Now()
					}
				}
			}
		}
	}()
	t.Cleanup(func() { o.end() })
	return o
}

func (o *observer) end() {
	select {
	case <-o.stop:
	default:
		close(o.stop)
	}
	<-o.done
}

func (o *observer) check(t *testing.T, hosts ...*host) {
	t.Helper()
	o.end()
	var all []mark
	for _, h := range hosts {
		all = append(all, h.marks()...)
	}
	noneTwice(t, all, func(m mark) time.Time { return o.last[m.pid] })
}

func TestARunnersDeathLeavesItsChildrenToTheNextLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	p := h.spawn(plan.Keep)
	for _, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, nil, "work")
	}
	h.awaitCount("start", 3)
	p.kill()
	p = h.spawn(plan.Keep)
	realtest.Await(t, time.Minute, "nothing is adopted", func() bool { return countLines(h.log.String(), `"reason":"adopted"`) == 3 })
	// Beyond every deadline that the first life gave.
	still(t, ttl+beat, "a child was ended or started though it was adopted", func() bool {
		return h.count("start") == 3 && h.count("stop") == 0 && h.alive() == 3
	})
	p.signal(syscall.SIGTERM)
	p.await()
	if h.count("stop") != 3 || h.alive() != 0 {
		t.Errorf("after leaving %d of 3 were stopped and %d live", h.count("stop"), h.alive())
	}
}

func TestARunnerThatExecsItselfAnewStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	p := h.spawn(plan.Stop)
	for _, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, nil, "work")
	}
	h.awaitCount("start", 3)
	for round := range 2 {
		p.signal(syscall.SIGHUP)
		realtest.Await(t, time.Minute, "nothing is adopted", func() bool {
			return countLines(h.log.String(), `"reason":"adopted"`) == 3*(round+1)
		})
	}
	still(t, ttl+beat, "a child was ended or started", func() bool {
		return h.count("start") == 3 && h.count("stop") == 0 && h.alive() == 3
	})
	p.signal(syscall.SIGTERM)
	p.await()
	if h.count("stop") != 3 || h.alive() != 0 {
		t.Errorf("after leaving %d of 3 were stopped and %d live", h.count("stop"), h.alive())
	}
}

func TestWhatADeadRunnerHeldEndsBeforeAnotherHostHasIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	o := observe(t, a, b)
	pa := a.spawn(plan.Keep)
	for _, key := range []string{"s1", "s2"} {
		w.announce(key, nil, "work")
	}
	a.awaitCount("start", 2)
	b.spawn(plan.Keep)
	w.awaitHost("b")
	pa.kill()
	b.awaitCount("start", 2)
	o.check(t, a, b)
}

func TestAFrozenRunnerLosesItsChildrenAndServesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	o := observe(t, a, b)
	pa := a.spawn(plan.Keep)
	for _, key := range []string{"s1", "s2"} {
		w.announce(key, nil, "work")
	}
	a.awaitCount("start", 2)
	b.spawn(plan.Keep)
	w.awaitHost("b")
	pa.signal(syscall.SIGSTOP)
	b.awaitCount("start", 2)
	pa.signal(syscall.SIGCONT)
	w.awaitHost("a")
	w.announce("s3", nil, "work")
	a.awaitCount("start", 3)
	still(t, 2*beat, "a frozen runner's child came back", func() bool { return a.alive() == 1 && b.alive() == 2 })
	o.check(t, a, b)
}

func TestAShortFreezeMovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.host("a")
	p := a.spawn(plan.Keep)
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	p.signal(syscall.SIGSTOP)
	still(t, 2*beat, "the child ended", func() bool { return a.alive() == 1 })
	p.signal(syscall.SIGCONT)
	still(t, ttl, "the child ended", func() bool { return a.alive() == 1 && a.count("start") == 1 })
}

// still checks that something stays true for a while.
func still(t *testing.T, long time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	until := time.Now().Add(long)
	for time.Now().Before(until) {
		if !ok() {
			t.Fatal(what)
		}
		<-tick.C
	}
}
