package realtest

import (
	"errors"
	"fmt"
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

// FreePort is a TCP port of 127.0.0.1 that was free a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = l.Close() }() // nobody ever connected
	return l.Addr().(*net.TCPAddr).Port
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
