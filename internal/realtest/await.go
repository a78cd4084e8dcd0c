package realtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Await returns when ok is true, and fails the test with what otherwise.
func Await(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	limit := time.After(within)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			if !ok() {
				t.Fatalf("after %v: %s", within, what)
			}
			return
		}
	}
}

// FreePort is a TCP port of 127.0.0.1 that is free and that no other test of
// this machine is given until this one ends. It lies below the range from which
// the kernel takes ports for outgoing connections, any of which could have it
// before the server does.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		// An abstract socket is a lock that ends with its holder.
		lock, err := net.Listen("unix", fmt.Sprintf("@stream-api-realtest-port-%d", port))
		if err != nil {
			continue
		}
		probe, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			_ = lock.Close() // the port is somebody else's, and so may the lock be
			continue
		}
		_ = probe.Close() // nobody ever connected
		t.Cleanup(func() { _ = lock.Close() })
		return port
	}
	t.Fatal("no free TCP port between 20000 and 32000")
	return 0
}

// find is the path of a program this test cannot do without.
func find(t testing.TB, program, debian string) string {
	t.Helper()
	// Servers live in sbin, which is not in everybody's PATH.
	for _, name := range []string{program, "/usr/sbin/" + program, "/usr/local/bin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed, and this test needs a real one: apt-get install %s", program, debian)
	return ""
}

// directory is a directory of its own, removed with the test.
func directory(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "realtest-"+pattern+"-")
	if err != nil {
		t.Fatalf("directory for %s: %v", pattern, err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of %s: %v", pattern, err)
		}
	})
	return dir
}

// end ends a process by sig, and by SIGKILL to its whole group if it is not
// gone after the start limit.
func (p *process) end(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v for pid %d: %w", sig, p.cmd.Process.Pid, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(startLimit):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the last resort; the test fails anyway
	return fmt.Errorf("pid %d is not gone %v after %v", p.cmd.Process.Pid, startLimit, sig)
}

// awaitPage returns when the page answers 200.
func awaitPage(t testing.TB, p *process, page, name string, log func() string) {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	Await(t, startLimit, name+" does not answer at "+page, func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s ended at its start:\n%s", name, log())
		default:
		}
		resp, err := client.Get(page)
		if err != nil {
			return false
		}
		_ = resp.Body.Close() // only its status counts
		return resp.StatusCode == http.StatusOK
	})
}
