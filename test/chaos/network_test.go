package chaos

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/store"
)

const (
	ttl  = 5 * time.Second
	beat = time.Second
)

// slack is added to every limit of time. The short form runs beside other
// tests, so it has 2 s; and a machine with more than two jobs for each of its
// processors says little of how long anything takes. What may never happen, two
// children or a child that does not live on, has no slack.
func slack(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	var load float64
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		t.Fatalf("/proc/loadavg %q: %v", text, err)
	}
	crowd := max(0, load/float64(2*runtime.NumCPU())-1)
	return or(2*time.Second, 0) + time.Duration(crowd*float64(2*time.Second))
}

// network is a store, a host that polls and decides, and workers.
type network struct {
	t       testing.TB
	redis   *realtest.RedisServer // nil behind Sentinels
	client  redis.UniversalClient
	watch   *realrun.Observer
	live    string // file with the streams that are live
	control *realrun.Host
	poller  *realrun.Host // nil: control polls
	workers []*realrun.Host
	ways    []*realrun.Proxy // of the workers to the store; none behind Sentinels
}

// plan says what a network is like.
type plan struct {
	workers  int
	capacity int
	streams  int
	mode     string // on_store_loss
	handover string
	redis    []string // arguments of redis-server
	// server is a redis-server that was made already.
	server *realtest.RedisServer
	// sentinels, if any, stand for the store.
	sentinels *realtest.SentinelGroup
	// childEnv are further lines of the child's environment.
	childEnv string
	// plugin are lines of the service's plugin; empty: a stop grace of 2 s.
	plugin string
	// more are further lines of the service.
	more string
	// source replaces the listing file by another source.
	source string
	// goneAfter of the listing file; 0: 2 s.
	goneAfter time.Duration
	// apart has a host of its own poll.
	apart bool
}

// begin starts a network and waits until all its streams run.
func begin(t testing.TB, p plan) *network {
	t.Helper()
	n := &network{t: t, watch: realrun.Observe(t), live: filepath.Join(t.TempDir(), "live")}
	url := n.openStore(p)
	n.list(p.streams)
	source := cmp.Or(p.source, n.listing(p))
	if p.apart {
		n.poller = realrun.Start(t, "poller", url, lease("keep")+"scheduler: {enabled: false}\n"+source)
		source = ""
	}
	n.control = realrun.Start(t, "control", url, lease("keep")+source)
	for i := range p.workers {
		if n.redis != nil {
			n.ways = append(n.ways, realrun.NewProxy(t, n.redis.Addr))
			url = n.ways[i].URL()
		}
		n.workers = append(n.workers, realrun.Start(t, fmt.Sprintf("w%d", i), url, n.workerFile(p)))
	}
	n.awaitLive(p.streams, 90*time.Second)
	return n
}

// listing is the source that reads the file of live streams.
func (n *network) listing(p plan) string {
	return fmt.Sprintf("sources:\n  - name: list\n    plugin: exec\n    vars: {command: [cat, %q], interval: 500ms, gone_after: %v}\n    chain: [work]\n",
		n.live, cmp.Or(p.goneAfter, 2*time.Second))
}

// openStore starts or takes the store and gives its address.
func (n *network) openStore(p plan) (url string) {
	n.t.Helper()
	if p.sentinels != nil {
		n.client = p.sentinels.Client()
		return p.sentinels.URL()
	}
	if n.redis = p.server; n.redis == nil {
		n.redis = realtest.Redis(n.t, p.redis...)
	}
	n.client = n.redis.Client()
	return n.redis.URL()
}

// store speaks to the network's store as an operator would.
func (n *network) store() *store.Store {
	n.t.Helper()
	s, err := store.New(n.client, store.Options{Actor: "test", TTL: ttl, Beat: beat})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

func lease(mode string) string {
	return fmt.Sprintf("lease: {ttl: %v, beat: %v, on_store_loss: %s}\n", ttl, beat, cmp.Or(mode, "keep"))
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
	return lease(p.mode) + "scheduler: {enabled: false}\nservices:\n" +
		n.watch.ChildPlugin("work", p.childEnv, cmp.Or(p.plugin, "stop: {grace: 2s}"), more)
}

// list makes the first so many streams live.
func (n *network) list(streams int) {
	n.t.Helper()
	keys := make([]string, 0, streams)
	for i := range streams {
		keys = append(keys, fmt.Sprintf("s%03d", i))
	}
	n.listKeys(keys)
}

// listKeys makes just these streams live.
func (n *network) listKeys(keys []string) {
	n.t.Helper()
	text := strings.Join(append(keys, ""), "\n")
	next := n.live + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
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

// or picks the quick or the long figure.
func or[T any](quick, full T) T {
	if *long {
		return full
	}
	return quick
}
