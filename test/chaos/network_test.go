package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

const (
	ttl  = 5 * time.Second
	beat = time.Second
)

// network is a store, a host that polls and decides, and workers.
type network struct {
	t       testing.TB
	redis   *realtest.RedisServer
	watch   *realrun.Observer
	live    string // file with the streams that are live
	control *realrun.Host
	workers []*realrun.Host
	ways    []*realrun.Proxy // of the workers to the store
}

// plan says what a network is like.
type plan struct {
	workers  int
	capacity int
	streams  int
	mode     string // on_store_loss
	handover string
	redis    []string // arguments of redis-server
	// childEnv are further lines of the child's environment.
	childEnv string
	// more are further lines of the service.
	more string
	// source replaces the listing file by another source.
	source string
}

// begin starts a network and waits until all its streams run.
func begin(t testing.TB, p plan) *network {
	t.Helper()
	n := &network{t: t, redis: realtest.Redis(t, p.redis...), watch: realrun.Observe(t), live: filepath.Join(t.TempDir(), "live")}
	n.list(p.streams)
	source := p.source
	if source == "" {
		source = fmt.Sprintf("sources:\n  - name: list\n    plugin: exec\n    vars: {command: [cat, %q], interval: 500ms, gone_after: 2s}\n    chain: [work]\n", n.live)
	}
	n.control = realrun.Start(t, "control", n.redis.URL(), lease("keep")+source)
	for i := range p.workers {
		n.ways = append(n.ways, realrun.NewProxy(t, n.redis.Addr))
		n.workers = append(n.workers, realrun.Start(t, fmt.Sprintf("w%d", i), n.ways[i].URL(), n.workerFile(p)))
	}
	n.awaitLive(p.streams, 60*time.Second)
	return n
}

func lease(mode string) string {
	if mode == "" {
		mode = "keep"
	}
	return fmt.Sprintf("lease: {ttl: %v, beat: %v, on_store_loss: %s}\n", ttl, beat, mode)
}

// workerFile is the configuration of a worker. Workers decide nothing, so
// that killing them shows what their own death does.
func (n *network) workerFile(p plan) string {
	more := fmt.Sprintf("capacity: %d", p.capacity)
	if p.handover != "" {
		more += "\nhandover: " + p.handover
	}
	if p.more != "" {
		more += "\n" + p.more
	}
	return lease(p.mode) + "scheduler: {enabled: false}\nservices:\n" + n.watch.ChildService("work", p.childEnv, more)
}

// list makes the first so many streams live.
func (n *network) list(streams int) {
	n.t.Helper()
	var text strings.Builder
	for i := range streams {
		fmt.Fprintf(&text, "s%03d\n", i)
	}
	next := n.live + ".next"
	if err := os.WriteFile(next, []byte(text.String()), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(next, n.live); err != nil {
		n.t.Fatal(err)
	}
}

// awaitLive waits until so many children live, one a slot.
func (n *network) awaitLive(streams int, within time.Duration) {
	n.t.Helper()
	realtest.Await(n.t, within, fmt.Sprintf("%d slots have a child", streams), func() bool {
		slots := map[string]bool{}
		for _, l := range n.watch.Alive() {
			slots[l.Stream] = true
		}
		return len(slots) == streams
	})
}

// on lists the streams whose children live on a host.
func (n *network) on(host string) []string {
	var out []string
	for _, l := range n.watch.Alive() {
		if l.Host == host {
			out = append(out, l.Stream)
		}
	}
	return out
}

// awaitElsewhere waits until streams have children on other hosts.
func (n *network) awaitElsewhere(host string, streams []string, within time.Duration) {
	n.t.Helper()
	realtest.Await(n.t, within, fmt.Sprintf("what %s had runs elsewhere", host), func() bool {
		there := map[string]bool{}
		for _, l := range n.watch.Alive() {
			if l.Host != host {
				there[l.Stream] = true
			}
		}
		for _, s := range streams {
			if !there[s] {
				return false
			}
		}
		return true
	})
}

// hold lets time pass in which the test only watches.
func (n *network) hold(d time.Duration) {
	n.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.t.Context().Done():
		n.t.Fatal("the test was ended")
	}
}

// noDoubles fails the test if two children of one slot ever lived at once.
func (n *network) noDoubles() {
	n.t.Helper()
	if d := n.watch.Doubles(); len(d) > 0 {
		n.t.Errorf("%d slots ran twice, such as %v", len(d), d[0])
	}
}

// noGaps fails the test if any slot lacked a child since from.
func (n *network) noGaps(from time.Time) {
	n.t.Helper()
	if g := n.watch.Gaps(from, time.Now()); len(g) > 0 {
		n.t.Errorf("%d slots had no child for a while, such as %v", len(g), g[0])
	}
}

// sameChildren fails the test if the children are not those of before.
func (n *network) sameChildren(before []realrun.Life) {
	n.t.Helper()
	now := map[string]bool{}
	for _, l := range n.watch.Alive() {
		now[l.PID+l.Token] = true
	}
	for _, l := range before {
		if !now[l.PID+l.Token] {
			n.t.Errorf("child %s of %s on %s did not live on", l.PID, l.Stream, l.Host)
		}
	}
}

func lengths(spans []realrun.Span) []time.Duration {
	out := make([]time.Duration, 0, len(spans))
	for _, s := range spans {
		out = append(out, s.Length())
	}
	return out
}

// record notes what was seen since from.
func (n *network) record(what string, from time.Time) {
	gaps := n.watch.Gaps(from, time.Now())
	note(what, lengths(gaps), lengths(n.watch.Doubles()))
}

func runningOn(status stream.Status, host string) int {
	c := 0
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			if slot.Host == host && slot.State == stream.Running {
				c++
			}
		}
	}
	return c
}

// or picks the quick or the long figure.
func or[T any](quick, full T) T {
	if *long {
		return full
	}
	return quick
}
