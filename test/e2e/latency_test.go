package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// figures measures at full number; otherwise a few streams show that it works.
var figures = flag.Bool("figures", false, "measure with the full number of streams")

// toyIcecast answers as an Icecast with the mounts a test gives it.
type toyIcecast struct {
	*httptest.Server
	mu      sync.Mutex
	mounts  []map[string]string
	failing bool
}

func newToyIcecast(t *testing.T) *toyIcecast {
	t.Helper()
	c := &toyIcecast{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status-json.xsl" {
			http.NotFound(w, r)
			return
		}
		c.mu.Lock()
		if c.failing {
			c.mu.Unlock()
			http.Error(w, "told to fail", http.StatusInternalServerError)
			return
		}
		text, err := json.Marshal(map[string]any{"icestats": map[string]any{"source": c.mounts}})
		c.mu.Unlock()
		if err != nil {
			panic(err) // maps of strings always marshal
		}
		_, _ = w.Write(text) // the poller is told by the poll's failure
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *toyIcecast) add(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.mounts = append(c.mounts, map[string]string{"listenurl": "http://h/" + key, "server_type": "video/webm"})
	}
}

// fail has every answer be an error from now on, or no longer.
func (c *toyIcecast) fail(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = on
}

func spread(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) time.Duration {
		return d[min(int(q*float64(len(d))), len(d)-1)].Round(time.Millisecond)
	}
	return fmt.Sprintf("n=%d p50 %v p95 %v p99 %v max %v", len(d), at(0.5), at(0.95), at(0.99), d[len(d)-1].Round(time.Millisecond))
}

func TestAppearedStreamsRunAfterAboutAPoll(t *testing.T) {
	t.Parallel()
	n := 8
	if *figures {
		n = 100
	}
	redis, ingest, watch := realtest.Redis(t), newToyIcecast(t), realrun.Observe(t)
	page := realtest.FreePort(t)
	realrun.Start(t, "a", redis.URL(), quickLease+fmt.Sprintf("sources:\n  - name: in\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 1s}\n    chain: [work]\nweb: {listen: \"127.0.0.1:%d\"}\nservices:\n", ingest.URL, page)+
		watch.ChildService("work", "", "capacity: 1000"))
	ingest.add("warm")
	awaitChildren(t, watch, 1)

	measure := func(prefix string, hook func()) []time.Duration {
		var took []time.Duration
		for i := range n {
			// Any phase of the poll is as likely as another.
			pause := time.NewTimer(time.Duration(rand.IntN(1000)) * time.Millisecond)
			<-pause.C
			key := fmt.Sprintf("%s%03d", prefix, i)
			appeared := time.Now()
			ingest.add(key)
			hook()
			realtest.Await(t, 20*time.Second, key+" has a child", func() bool {
				for _, l := range watch.Alive() {
					if l.Stream == key {
						took = append(took, l.Start.Sub(appeared))
						return true
					}
				}
				return false
			})
		}
		return took
	}
	t.Logf("appeared → child started, poll interval 1 s: %s", spread(measure("p", func() {})))
	t.Logf("appeared → child started, pushed to /hooks/in: %s", spread(measure("h", func() {
		r, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/hooks/in", page), "application/x-www-form-urlencoded", strings.NewReader("call=publish"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("the hook answers %s, %v", r.Status, err)
		}
	})))
}

func awaitChildren(t *testing.T, watch *realrun.Observer, n int) {
	t.Helper()
	realtest.Await(t, time.Minute, fmt.Sprintf("%d children live", n), func() bool { return len(watch.Alive()) == n })
}

func TestBurstIsSpreadEvenlyOverManyHosts(t *testing.T) {
	t.Parallel()
	hosts, streams := 4, 40
	if *figures {
		hosts, streams = 20, 200
	}
	redis, ingest := realtest.Redis(t), newToyIcecast(t)
	realrun.Start(t, "control", redis.URL(), quickLease+fmt.Sprintf("sources:\n  - name: in\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 1s}\n    chain: [work]\n", ingest.URL))
	births := t.TempDir() // a file a child, with the time at which it began
	child := fmt.Sprintf("services:\n  work:\n    plugin:\n      name: exec\n      path: sh\n"+
		"      args: [\"-c\", 'date +%%s%%N >\"$1/$STREAM_API_STREAM.new\" && mv \"$1/$STREAM_API_STREAM.new\" \"$1/$STREAM_API_STREAM\" && exec sleep 100000', sh, %q]\n"+
		"      stop: {grace: 1s}\n    capacity: 10\n", births)
	child = strings.ReplaceAll(child, "$", "$$")
	for i := range hosts {
		realrun.Start(t, fmt.Sprintf("h%02d", i), redis.URL(), quickLease+"scheduler: {enabled: false}\n"+child)
	}
	realtest.Await(t, time.Minute, "all hosts are up and the first hold is over", func() bool {
		s := realrun.Status(t, redis.URL())
		return len(s.Hosts) == hosts+1 && s.Hold == nil
	})
	ingest.add(keys("s", 0, streams)...)
	begun := func() []string {
		files, err := filepath.Glob(births + "/s*[0-9]")
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	realtest.Await(t, time.Minute, "all children began", func() bool { return len(begun()) == streams })
	var seen int64
	for _, e := range realrun.Events(t, redis.URL(), 5*streams) {
		if e.Event == "appeared" && (seen == 0 || e.At() < seen) {
			seen = e.At()
		}
	}
	var took []time.Duration
	for _, file := range begun() {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		took = append(took, time.Duration(at)-time.Duration(seen)*time.Millisecond)
	}
	t.Logf("%d at once on %d hosts × 10, first one seen → child started: %s", streams, hosts, spread(took))
	if *figures {
		resident, private := supervisorMemory(t, streams)
		t.Logf("a supervisor at rest (median of %d): %.1f MB resident, %.1f MB of them its own", streams, resident, private)
	}
	for _, h := range realrun.Status(t, redis.URL()).Hosts {
		for _, v := range h.Services {
			if v.Type == "work" && v.Used != streams/hosts {
				t.Errorf("%s runs %d; want %d like all others", h.Host, v.Used, streams/hosts)
			}
		}
	}
}
