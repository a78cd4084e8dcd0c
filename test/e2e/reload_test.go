package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

func TestNobodyIsRefusedThePageDuringAReload(t *testing.T) {
	t.Parallel()
	first, second := realtest.FreePort(t), realtest.FreePort(t)
	page := func(port int) string {
		return fmt.Sprintf("web: {listen: \"127.0.0.1:%d\"}\nservices:\n%s", port, sleeper(""))
	}
	h := realrun.Start(t, "a", realtest.Redis(t).URL(), page(first))
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	look := func(port int) error {
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return errors.Join(err, answer.Body.Close())
	}
	realtest.Await(t, time.Minute, "the page is there", func() bool { return look(first) == nil })

	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { looked <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			// A connection that says nothing for a second is cut, and a busy
			// machine takes its time; but somebody must listen.
			if err := look(first); errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("look %d: %v", n, err)
				return
			} else if err != nil {
				t.Logf("look %d: %v", n, err)
			}
		}
	}()
	lives := func(n int) func() bool {
		return func() bool { return strings.Count(h.Log(), "the status page is at") == n }
	}
	for n := range 3 {
		h.Signal(syscall.SIGHUP)
		realtest.Await(t, time.Minute, "the next life has its page", lives(n+2))
	}
	close(stop)
	if n := <-looked; n < 20 {
		t.Errorf("only %d looks in three reloads", n)
	}

	// Another address is taken up, and the former is left.
	h.Rewrite(page(second))
	h.Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the page is at its new address", func() bool { return look(second) == nil })
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", first)); err == nil {
		_ = c.Close()
		t.Error("the former address is still listened on")
	}
}

func TestAPageThatCannotBeHadKeepsNoHostDown(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	port, taken := realtest.FreePort(t), realtest.FreePort(t)
	other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", taken))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }() // closed below, unless the test fails before
	list := newListing(t, "s1")
	file := func(port int) string {
		return fmt.Sprintf("web: {listen: \"127.0.0.1:%d\"}\n", port) + quickLease + list.source("work") + worker(1, "")
	}
	h := realrun.Start(t, "ber", redis.URL(), file(taken))
	realtest.Await(t, time.Minute, "s1 runs on a host without a page", func() bool {
		return slotOf(realrun.Status(t, redis.URL()), "s1").State == stream.Running
	})
	mine := fmt.Sprintf("127.0.0.1:%d", taken)
	for _, args := range [][]string{{"status"}, {"doctor"}} {
		realtest.Await(t, time.Minute, "the missing page is told by "+args[0], func() bool {
			stdout, _, _ := realrun.Command(t, redis.URL(), args...)
			return strings.Contains(stdout, "there is no page") && strings.Contains(stdout, mine) && strings.Contains(stdout, "ber")
		})
	}
	if n := strings.Count(h.Log(), "there is no page"); n != 1 {
		t.Errorf("it is logged %d times; want once", n)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	page := func(port int) func() bool {
		return func() bool {
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
			return err == nil && errors.Join(answer.Body.Close()) == nil
		}
	}
	realtest.Await(t, time.Minute, "the page is there when its address is free", page(taken))
	realtest.Await(t, time.Minute, "the trouble is over", func() bool { return len(realrun.Status(t, redis.URL()).Troubles) == 0 })

	// A reload to an address that is taken is refused, and the page stays where it is.
	other, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	h.Rewrite(file(port))
	h.Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the reload is refused", func() bool {
		return strings.Contains(h.Log(), "not taken up") && strings.Contains(h.Log(), "web.listen")
	})
	if !page(taken)() {
		t.Error("the page is gone")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	h.Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the page is at its new address", page(port))
	if h.Ended() {
		t.Error("the host ended")
	}
}

// A program is installed by moving the old one away, or by switching a link.
func TestAReloadBecomesTheProgramThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, install := range map[string]func(t *testing.T, path, before, after string){
		"moved": func(t *testing.T, path, before, after string) {
			run(t, "mv", path, before)
			run(t, "cp", after, path)
		},
		"switched": func(t *testing.T, path, _, after string) {
			run(t, "ln", "-sfn", after, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, first, second := filepath.Join(dir, "stream-api"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
			run(t, "cp", realrun.Binary(t), first)
			run(t, "cp", realrun.Binary(t), second)
			if name == "moved" {
				run(t, "mv", first, path)
			} else {
				run(t, "ln", "-s", first, path)
			}
			redis := realtest.Redis(t)
			list := newListing(t, "s1")
			// Argument 0 of the shell is the program of the test; it is replaced by ours.
			h := realrun.StartUnder(t, []string{"sh", "-c", `exec "$PROGRAM" "$@"`}, "ber", redis.URL(), quickLease+list.source("work")+worker(3, ""), "PROGRAM="+path)
			running := func(key string) func() bool {
				return func() bool { return slotOf(realrun.Status(t, redis.URL()), key).State == stream.Running }
			}
			realtest.Await(t, time.Minute, "s1 runs", running("s1"))
			old := h.Supervisors()

			install(t, path, first, second)
			h.Signal(syscall.SIGHUP)
			want, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			is := func(pid int) bool {
				got, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
				return err == nil && os.SameFile(got, want)
			}
			realtest.Await(t, time.Minute, "the host is the program that was installed", func() bool { return is(h.PID()) })
			list.set("s1", "s2")
			realtest.Await(t, time.Minute, "s2 runs", running("s2"))
			fresh := 0
			for _, pid := range h.Supervisors() {
				if is(pid) {
					fresh++
				} else if !slices.Contains(old, pid) {
					t.Errorf("the new supervisor %d is the old program", pid)
				}
			}
			if fresh == 0 {
				t.Error("no supervisor is the new program")
			}

			// Without a program in its place the running one is as good.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			lives := strings.Count(h.Log(), "the host starts")
			h.Signal(syscall.SIGHUP)
			realtest.Await(t, time.Minute, "the host starts anew without its file", func() bool { return strings.Count(h.Log(), "the host starts") > lives })
			list.set("s1", "s2", "s3")
			realtest.Await(t, time.Minute, "s3 runs", running("s3"))
		})
	}
}

func run(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", argv, err, out)
	}
}
