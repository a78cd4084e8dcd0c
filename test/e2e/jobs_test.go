package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// sink is a web server that files are put to, which answers 503 for a while.
type sink struct {
	mu    sync.Mutex
	busy  int // so many answers more
	files map[string]bool
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		s.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.files[path.Base(r.URL.Path)] = true
	w.WriteHeader(http.StatusCreated)
}

func (s *sink) refuse(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = n
}

func (s *sink) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[name]
}

// A recording network: each segment is remuxed where it lies, and at each end of a recorder all it recorded is put to a
// web server, which refuses at first. The machine that records loses power; what lies there is put when it is back.
func TestWhatIsRecordedIsUploaded(t *testing.T) {
	t.Parallel()
	curl := realtest.Program(t, "curl", "curl")
	to := &sink{busy: 2, files: map[string]bool{}}
	server := httptest.NewServer(to)
	t.Cleanup(server.Close)
	base, redis, list := t.TempDir(), realtest.Redis(t), newListing(t, "s1")
	// The names of segments are written down where no host dies, before anybody is told of them.
	config := quickLease + list.source(`record, {job: remux, of: record, each: item}, {job: upload, of: record}`) + fmt.Sprintf(`services:
  record:
    capacity: 1
    plugin:
      name: exec
      path: sh
      args:
        - -c
        - 'd="$$BASE/$$STREAM_API_HOST/$$STREAM_API_TOKEN"; mkdir -p "$$d"; echo "dir=$$d" >> "$$STREAM_API_VARS"; n=0; while :; do n=$$((n+1)); f="$$d/$$STREAM_API_TOKEN-$$n.ts"; echo $$n > "$$f"; echo "$$f" >> "$$BASE/named"; echo "$$f" >> "$$STREAM_API_ITEMS"; sleep 1; done'
      env: {BASE: %q}
      stop: {grace: 1s}
  remux:
    capacity: 2
    plugin: {name: exec, path: sh, args: [-c, 'exec cp "$$1" "$$1.out"', remux, "${of:item}"]}
    tries: {delay: 1s}
  upload:
    plugin: {name: exec, path: sh, args: [-c, 'for f in "$$1"/*.ts; do %s -fsS -T "$$f" "$$2/$$(basename "$$f")" || exit 1; done', upload, "${of:dir}", %q]}
    tries: {max: 100, delay: 1s, max_delay: 2s}
`, base, curl, server.URL)
	hosts := map[string]*realrun.Host{}
	for _, name := range []string{"a", "b"} {
		hosts[name] = realrun.Start(t, name, redis.URL(), config)
	}
	recorder := func() string {
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			for _, slot := range s.Slots {
				if slot.State == stream.Running {
					return slot.Host
				}
			}
		}
		return ""
	}
	named := func() []string {
		text, _ := os.ReadFile(filepath.Join(base, "named"))
		return strings.Fields(string(text))
	}
	realtest.Await(t, time.Minute, "it is recorded", func() bool { return recorder() != "" && len(named()) >= 2 })
	first := recorder()
	hosts[first].KillMachine()
	before := len(named())
	realtest.Await(t, time.Minute, "another host records", func() bool { return recorder() != first && len(named()) >= before+2 })
	second := recorder()
	hosts[first].Again()
	to.refuse(1000)
	list.set()
	realtest.Await(t, time.Minute, "its recording ends", func() bool { return recorder() == "" })

	// The machine that recorded last is not empty before its jobs are done, and is not forgotten.
	if _, said, code := realrun.Command(t, redis.URL(), "hosts", "drain", second, "--deadline", "1s", "--wait"); code != 4 || !strings.Contains(said, "upload of s1") {
		t.Errorf("a drain whose deadline passed ends with %d: %s", code, said)
	}
	if _, said, code := realrun.Command(t, redis.URL(), "hosts", "rm", second); code != 1 || !strings.Contains(said, "--lose-jobs") {
		t.Errorf("it was forgotten with its jobs, %d: %s", code, said)
	}
	to.refuse(0)
	if _, said, code := realrun.Command(t, redis.URL(), "hosts", "drain", second, "--wait"); code != 0 {
		t.Errorf("a drain that waits ends with %d: %s", code, said)
	}
	realtest.Await(t, time.Minute, "no job is left", func() bool { return realrun.Status(t, redis.URL()).Jobs == nil })
	for _, f := range named() {
		if _, err := os.Stat(f + ".out"); err != nil {
			t.Errorf("it is not remuxed: %v", err)
		}
		if !to.has(filepath.Base(f)) {
			t.Errorf("%s is not uploaded", filepath.Base(f))
		}
	}
	if out, _, code := realrun.Command(t, redis.URL(), "jobs", "ls", "--done"); code != 0 || strings.Count(out, "upload~") != 2 || strings.Count(out, "remux~") != len(named()) {
		t.Errorf("code %d, done are\n%s", code, out)
	}
}
