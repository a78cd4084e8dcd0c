package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// edge is a follower of `render` with its file, and a command that notes each of its runs.
type edge struct {
	dir, file string
	end       func()
}

func follow(t *testing.T, redis, template string) *edge {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.tmpl"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	return followIn(t, redis, dir, "sh", "-c", "echo ran >>"+filepath.Join(dir, "ran"))
}

// followIn fills in x.tmpl of a directory, and runs a command.
func followIn(t *testing.T, redis, dir string, command ...string) *edge {
	t.Helper()
	e := &edge{dir: dir, file: filepath.Join(dir, "out")}
	c := exec.Command(realrun.Binary(t), append([]string{"render", "-t", filepath.Join(dir, "x.tmpl"), "-o", e.file, "-f", "--settle", "1s", "--"}, command...)...)
	c.Env = append(os.Environ(), "STREAM_API_REDIS="+redis)
	said, err := os.Create(filepath.Join(e.dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = said.Close() // it is the process' now
	e.end = sync.OnceFunc(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := c.Wait(); err != nil {
			t.Errorf("render ended with %v:\n%s", err, e.said())
		}
	})
	t.Cleanup(e.end)
	return e
}

func (e *edge) text() string {
	text, err := os.ReadFile(e.file)
	if err != nil {
		return ""
	}
	return string(text)
}

// said is what it told the operator so far.
func (e *edge) said() string {
	text, err := os.ReadFile(filepath.Join(e.dir, "said"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (e *edge) ran(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, "ran"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// aStream is a network in which s1 is distributed on one host.
func aStream(t *testing.T) *realtest.RedisServer {
	t.Helper()
	server := realtest.Redis(t)
	realrun.Start(t, "alpha", server.URL(), `lease: {ttl: 5s, beat: 1s}
services:
  dist: {plugin: {name: exec, path: sleep, args: ["100000"], stop: {grace: 1s}}, stream_vars: {url: "http://dist.example:7999"}}
`)
	if _, stderr, code := realrun.Command(t, server.URL(), "streams", "add", "s1", "--chain", "dist"); code != 0 {
		t.Fatal(stderr)
	}
	realtest.Await(t, time.Minute, "s1 is distributed", func() bool { return distributed(t, server.URL()) })
	return server
}

func distributed(t *testing.T, redis string) bool {
	t.Helper()
	out, _, code := realrun.Command(t, redis, "status")
	return code == 0 && !strings.Contains(out, "ON HOLD") && strings.Contains(out, string(stream.Running))
}

// 10,000 changes a minute, for a quarter of it.
func TestRenderAnswersAFloodOfChangesWithOneCommandASecond(t *testing.T) {
	t.Parallel()
	server := aStream(t)
	name := `{{range slots "dist"}}{{.Key}}={{.Vars.n}}{{end}}`
	e := follow(t, server.URL(), name+strings.Repeat(".", 200_000)+name)
	realtest.Await(t, time.Minute, "the first file", func() bool { return strings.HasPrefix(e.text(), "s1=.") })

	over, seen := make(chan struct{}), make(chan [2]int)
	go func() { // reads until told, and sends how often and how often it saw half a file
		reads, torn := 0, 0
		for {
			select {
			case <-over:
				seen <- [2]int{reads, torn}
				return
			default:
			}
			text := e.text()
			head, _, _ := strings.Cut(text, ".")
			if reads++; len(text) != 200_000+2*len(head) || !strings.HasSuffix(text, "."+head) {
				torn++
			}
		}
	}()
	const changes, minute = 2500, 10_000
	client := server.Client()
	began, before := time.Now(), e.ran(t)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < changes; {
		<-tick.C // the load: as many as are due by now
		pipe := client.Pipeline()
		for due := int(time.Since(began) * minute / time.Minute); i < min(due, changes); {
			i++
			pipe.HSet(t.Context(), "stream:s1:dist", "var:n", i)
			pipe.HSet(t.Context(), "stream:s1:dist.1", "var:n", i)
			pipe.Publish(t.Context(), "wake", "vars s1")
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d changes in %v", changes, time.Since(began).Round(time.Millisecond))
	last := fmt.Sprintf("s1=%d.", changes)
	realtest.Await(t, time.Minute, "the last change", func() bool { return strings.HasPrefix(e.text(), last) })
	took := time.Since(began)
	realtest.Await(t, time.Minute, "its command", func() bool {
		left, err := filepath.Glob(filepath.Join(e.dir, ".out*"))
		return err == nil && len(left) == 0
	})
	close(over)
	ran, got := e.ran(t)-before, <-seen
	t.Logf("%d changes in %v: %d commands, %d readers, %d saw half a file", changes, took.Round(time.Millisecond), ran, got[0], got[1])
	if ran < 3 || ran > int(took/time.Second)+2 {
		t.Errorf("%d commands in %v", ran, took)
	}
	if got[1] > 0 || got[0] < 100 {
		t.Errorf("%d of %d readers saw half a file", got[1], got[0])
	}
}

func TestRenderKeepsItsFileWhileTheStoreIsEmptiedHeldOrGone(t *testing.T) {
	t.Parallel()
	server := aStream(t)
	const want = "s1 is at http://dist.example:7999\n"
	e := follow(t, server.URL(), `{{range slots "dist"}}{{.Key}} is at {{.Vars.url}}{{end}}`+"\n")
	realtest.Await(t, time.Minute, "the first file", func() bool { return e.text() == want })
	over, odd := make(chan struct{}), make(chan string)
	go func() { // until told, then sends what else it read
		last := ""
		for {
			select {
			case <-over:
				odd <- last
				return
			case <-time.After(2 * time.Millisecond):
			}
			if text := e.text(); text != want {
				last = text + " "
			}
		}
	}()
	back := func() bool { return distributed(t, server.URL()) }
	for range 3 {
		if err := server.Client().FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		realtest.Await(t, time.Minute, "it is distributed again after FLUSHALL", back)
	}
	server.Kill()
	<-time.After(8 * time.Second) // longer than a lease
	server.Start()
	realtest.Await(t, time.Minute, "it is distributed again after Redis was gone", back)
	realtest.Await(t, time.Minute, "it follows again", func() bool { return strings.HasSuffix(e.said(), "out is kept up to date again\n") })
	close(over)
	if text := <-odd; text != "" {
		t.Errorf("the file was %q meanwhile", text)
	}
	e.end()
	if n := e.ran(t); n != 1 {
		t.Errorf("the command ran %d times", n)
	}
	for _, line := range []string{"on hold: ", "refused; "} {
		if !strings.Contains(e.said(), line) {
			t.Errorf("it did not say %q:\n%s", line, e.said())
		}
	}
}
