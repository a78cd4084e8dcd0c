package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/internal/realtest"
)

func TestKilledPollerStopsNothing(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 6, apart: true})
	before, from := n.watch.Alive(), time.Now()
	n.poller.Kill()
	n.hold(or(8*time.Second, time.Minute)) // several times gone_after
	n.sameChildren(before)
	n.poller.Again()
	n.list(8)
	n.awaitLive(8, time.Minute)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("poller killed", from)
	n.list(7)
	n.awaitLive(7, time.Minute) // it is heard again
}

// ingest is a status page like Icecast's that can be broken.
type ingest struct {
	mu      sync.Mutex
	streams int
	broken  func(w http.ResponseWriter, r *http.Request)
	over    chan struct{}
}

func (i *ingest) set(streams int, broken func(w http.ResponseWriter, r *http.Request)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.streams, i.broken = streams, broken
}

func (i *ingest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	streams, broken := i.streams, i.broken
	i.mu.Unlock()
	if broken != nil {
		broken(w, r)
		return
	}
	var mounts []string
	for s := range streams {
		mounts = append(mounts, fmt.Sprintf(`{"listenurl":"http://localhost:8000/s%03d","server_type":"video/webm","stream_start_iso8601":"2026-01-01T00:00:00+0000"}`, s))
	}
	_, _ = fmt.Fprintf(w, `{"icestats":{"admin":"a@b","host":"localhost","server_id":"Icecast 2.4.4","source":[%s]}}`, strings.Join(mounts, ",")) // who asks may have gone
}

func (i *ingest) hang(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-i.over:
	}
}

// drip answers a byte at a time, too slowly to ever end in time.
func (i *ingest) drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-i.over:
			return
		}
	}
}

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body)) // who asks may have gone
	}
}

func TestBrokenStatusPageStopsNothing(t *testing.T) {
	t.Parallel()
	in := &ingest{streams: 6, over: make(chan struct{})}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(in.over) })
	n := begin(t, plan{
		workers: 2, capacity: 10, streams: 6,
		source: fmt.Sprintf("sources:\n  - name: page\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 500ms, timeout: 1s, gone_after: 2s}\n    chain: [work]\n", server.URL),
	})
	before, from := n.watch.Alive(), time.Now()
	for _, fault := range []struct {
		name string
		page http.HandlerFunc
	}{
		{"HTTP 500", answer(http.StatusInternalServerError, "broken")},
		{"hanging", in.hang},
		{"slow body", in.drip},
		{"a page for people", answer(http.StatusOK, "<html><body>maintenance</body></html>")},
		{"cut off in the middle", answer(http.StatusOK, `{"icestats":{"source":[{"listenurl":"http://localhost:8000/s0`)},
		{"nothing at all", answer(http.StatusOK, "")},
		{"another program's JSON", answer(http.StatusOK, `{"error":"not found"}`)},
	} {
		in.set(6, fault.page)
		n.awaitSource("unknown", fault.name)
		n.hold(or(4*time.Second, time.Minute)) // twice gone_after
		n.sameChildren(before)
		in.set(6, nil)
		n.awaitSource("good", "after "+fault.name)
	}
	in.set(7, nil)
	n.awaitLive(7, time.Minute)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("status page broken in seven ways", from)
	in.set(5, nil)
	n.awaitLive(5, time.Minute) // a good answer is believed
}

// awaitSource waits until the only source is in a state.
func (n *network) awaitSource(state, why string) {
	n.t.Helper()
	realtest.Await(n.t, time.Minute, fmt.Sprintf("the source is %s (%s)", state, why), func() bool {
		s, ok := n.status()
		return ok && len(s.Sources) == 1 && string(s.Sources[0].State) == state
	})
}
