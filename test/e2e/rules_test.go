package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// ruledNet is one worker and two hosts that poll five sources of one ingest, each of which differs in another kind of rule
// between ber's file, which is in force, and ham's, which is older and would end every stream of four of them, and a slot of
// each of two.
type ruledNet struct {
	t         *testing.T
	redis     *realtest.RedisServer
	page, url string
	ingest    *mounts
	work      *realrun.Host
	ber, ham  *realrun.Host
	listed    int
	supposed  []string // <key> <slot> of what runs
	processes []int    // their supervisors
}

// mounts is an ingest that speaks as Icecast does.
type mounts struct {
	mu    sync.Mutex
	names []string
}

func (m *mounts) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []string
	for _, name := range m.names {
		rows = append(rows, fmt.Sprintf(`{"listenurl":"http://localhost:8000/%s","server_type":"video/webm","stream_start_iso8601":"2026-01-01T00:00:00+0000"}`, name))
	}
	_, _ = fmt.Fprintf(w, `{"icestats":{"admin":"a@b","host":"localhost","server_id":"Icecast 2.4.4","source":[%s]}}`, strings.Join(rows, ",")) // who asks may have gone
}

// ruledFile is a host's file, as ber has it, or with what was true before. A priority makes it another.
func ruledFile(url string, old bool, priority int) string {
	match, strip, chain, rules, streams := "^m", "live/", "work, rec", "[{match: \"^r\", chain: [work, rec]}]", "f1, f2"
	if old {
		match, strip, chain, rules, streams = "^never", "", "work", "[]", "f1"
	}
	text := "sources:\n"
	for _, s := range [][]string{{"matched", match, "", "work", "[]"}, {"stripped", "^(live/)?t", strip, "work", "[]"}, {"chained", "^c", "", chain, "[]"}, {"excepted", "^r", "", "work", rules}} {
		text += fmt.Sprintf("  - name: %s\n    plugin: poll\n    vars: {url: %q, interval: 300ms, gone_after: 1s, match: %q, strip: %q}\n    chain: [%s]\n    rules: %s\n    priority: %d\n", s[0], url, s[1], s[2], s[3], s[4], priority)
	}
	return text + fmt.Sprintf("  - name: listed\n    plugin: static\n    vars: {streams: [%s], interval: 300ms, gone_after: 1s}\n    chain: [work]\n    priority: %d\n", streams, priority)
}

func beginRuled(t *testing.T) *ruledNet {
	t.Helper()
	n := &ruledNet{t: t, redis: realtest.Redis(t), ingest: &mounts{}}
	server := httptest.NewServer(n.ingest)
	t.Cleanup(server.Close)
	n.url = server.URL
	n.page = fmt.Sprintf("127.0.0.1:%d", realtest.FreePort(t))
	n.work = realrun.Start(t, "work", n.redis.URL(), quickLease+fmt.Sprintf("web: {listen: %q}\n", n.page)+
		"services:\n  work: {plugin: {name: exec, path: sleep, args: [\"100000\"]}}\n  rec: {plugin: {name: exec, path: sleep, args: [\"100000\"]}}\n")
	n.supposed = []string{"f1 work", "f2 work"}
	n.appear()
	n.ber = realrun.Start(t, "ber", n.redis.URL(), quickLease+ruledFile(n.url, false, 0))
	n.runs("at first")
	n.ham = realrun.Start(t, "ham", n.redis.URL(), quickLease+ruledFile(n.url, true, 0))
	return n
}

// appear publishes a stream more of each kind; what they are to have is by ber's file.
func (n *ruledNet) appear() {
	n.listed++
	i := n.listed
	n.ingest.mu.Lock()
	n.ingest.names = append(n.ingest.names, fmt.Sprintf("m%d", i), fmt.Sprintf("live/t%d", i), fmt.Sprintf("c%d", i), fmt.Sprintf("r%d", i))
	n.ingest.mu.Unlock()
	for _, of := range []string{"m%d work", "t%d work", "c%d rec", "c%d work", "r%d rec", "r%d work"} {
		n.supposed = append(n.supposed, fmt.Sprintf(of, i))
	}
	slices.Sort(n.supposed)
}

// runs waits until exactly what is supposed to runs, in the very processes that ran before.
func (n *ruledNet) runs(when string) {
	n.t.Helper()
	var last []string
	realtest.Await(n.t, time.Minute, "what is supposed to runs, "+when, func() bool {
		last = nil
		for _, s := range realrun.Status(n.t, n.redis.URL()).Streams {
			for _, slot := range s.Slots {
				if slot.State == stream.Running && slot.Phase == stream.Runs {
					last = append(last, s.Key+" "+slot.Slot)
				} else {
					last = append(last, s.Key+" "+slot.Slot+" "+string(slot.State))
				}
			}
		}
		slices.Sort(last)
		return slices.Equal(last, n.supposed)
	})
	now := n.work.Supervisors()
	for _, pid := range n.processes {
		if !slices.Contains(now, pid) {
			n.t.Fatalf("%s: a child was stopped: supervisors %v, were %v", when, now, n.processes)
		}
	}
	n.processes = now
}

// settle gives pollers that would act the time to, and more streams.
func (n *ruledNet) settle(when string) {
	n.t.Helper()
	time.Sleep(2 * time.Second) // twice gone_after; what should not happen has no sign to wait for
	n.appear()
	n.runs(when)
	for _, s := range realrun.Status(n.t, n.redis.URL()).Sources {
		if s.Rules == nil || s.Rules.By != "ber" {
			n.t.Errorf("%s: the rules of %s are %+v", when, s.Name, s.Rules)
		}
	}
}

// told waits until all places where somebody might look tell of ham.
func (n *ruledNet) told(when string) {
	n.t.Helper()
	url, begun := n.redis.URL(), time.Now()
	all := []string{"matched", "stripped", "chained", "excepted", "listed"}
	out := func(args ...string) string { stdout, _, _ := realrun.Command(n.t, url, args...); return stdout }
	get := func(path string) string {
		answer, err := (&http.Client{Timeout: 20 * time.Second}).Get("http://" + n.page + path)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	each := func(text func() string, line string) func() bool {
		return func() bool {
			got := text()
			for _, name := range all {
				if !strings.Contains(got, strings.ReplaceAll(line, "NAME", name)) {
					return false
				}
			}
			return true
		}
	}
	for place, seen := range map[string]func() bool{
		"status": func() bool { return strings.Count(out("status"), "of ber; ham's file differs since") == len(all) },
		"sources ls": func() bool {
			text := out("sources", "ls")
			return strings.Contains(text, ": rec goes") && strings.Contains(text, ": stream f2 goes") && strings.Contains(text, ": rule ^r goes") && strings.Contains(text, "match ^m becomes ^never") && strings.Contains(text, "strip live/ becomes none")
		},
		"doctor": each(func() string { return out("doctor") }, "source NAME: ham's file differs from the rules in force"),
		"page":   func() bool { return strings.Count(get("/api/v1/status"), `"host":"ham","since":`) == len(all) },
		"metric": each(func() string { return get("/metrics") }, `stream_api_source_differs{source="NAME"} 1`),
		"event":  each(func() string { return out("events", "-n", "1000") }, "NAME: the file of ham differs: "),
		"log": func() bool {
			return strings.Count(n.ham.Log(), "says something else than the rules in force") >= len(all)
		},
	} {
		realtest.Await(n.t, time.Minute, "it is told by "+place+", "+when, seen)
	}
	n.t.Logf("told everywhere %v after the look began, %s", time.Since(begun).Round(10*time.Millisecond), when)
}

func (n *ruledNet) flush() {
	n.t.Helper()
	if err := n.redis.Client().FlushAll(n.t.Context()).Err(); err != nil {
		n.t.Fatal(err)
	}
}

// empty reinstalls a host that does not run.
func empty(t *testing.T, h *realrun.Host) {
	t.Helper()
	if err := os.RemoveAll(h.StateDir); err != nil {
		t.Fatal(err)
	}
}

// TestAnOldFileStopsNothing: whatever becomes of the host whose rules are in force, the one with the older file announces by
// them.
func TestAnOldFileStopsNothing(t *testing.T) {
	t.Parallel()
	n := beginRuled(t)
	n.told("once ham started")
	n.settle("beside an old file")

	for i, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL} {
		n.ham.Rewrite(quickLease + ruledFile(n.url, true, i+1))
		n.ham.Signal(sig)
		if sig == syscall.SIGKILL {
			n.ham.Wait(time.Minute)
			n.ham.Again()
		}
		n.settle(fmt.Sprintf("with the old file edited, by %v", sig))
		n.told(fmt.Sprintf("with the old file edited, by %v", sig))
	}

	if _, errOut, code := realrun.Command(t, n.redis.URL(), "hosts", "drain", "ber"); code != 0 {
		t.Errorf("drain: %d, %s", code, errOut)
	}
	n.settle("when ber is drained")
	n.ber.Signal(syscall.SIGSTOP)
	n.settle("while ber is frozen")
	n.ber.Signal(syscall.SIGCONT)
	n.settle("when ber is awake again")

	n.ber.Kill()
	n.settle("while ber is dead")
	n.told("while ber is dead")
	n.ham.Kill()
	n.ham.Again()
	n.settle("when ham restarted alone")
	n.flush()
	n.settle("after FLUSHALL while ber is dead")
	n.ber.Again()
	n.settle("when ber is back")

	n.ber.Signal(syscall.SIGTERM)
	n.ber.Wait(time.Minute)
	n.settle("when ber has left")
	empty(t, n.ber)
	n.ber.Again()
	n.settle("when ber was installed anew")

	n.flush()
	n.settle("after FLUSHALL with both")
	n.told("after FLUSHALL")

	for _, order := range [][]*realrun.Host{{n.ber, n.ham}, {n.ham, n.ber}} {
		n.ber.Kill()
		n.ham.Kill()
		order[0].Again()
		n.settle(order[0].Name + " first")
		order[1].Again()
		n.settle("then " + order[1].Name)
	}
	n.ham.Kill()
	empty(t, n.ham)
	n.flush()
	n.ham.Again()
	n.settle("after FLUSHALL before ham, installed anew")
	n.told("at last")
	for _, e := range realrun.Events(t, n.redis.URL(), 10000) {
		if e.Event == "rules" && !strings.Contains(e.Reason, ": v1 of ber, ") {
			t.Errorf("other rules came into force: %s", e.Reason)
		}
	}
	n.accepted()
}

// accepted looks at ham's file for one source, and puts it in force by hand.
func (n *ruledNet) accepted() {
	n.t.Helper()
	stdout, errOut, code := realrun.Command(n.t, n.redis.URL(), "sources", "diff", "chained", "ham")
	for _, line := range []string{"of ber, since ", "+++ the file of ham, told since ", "\n-   - rec\n", "\n    - work\n"} {
		if !strings.Contains(stdout, line) || code != 0 {
			n.t.Errorf("sources diff: %d, %s, without %q:\n%s", code, errOut, line, stdout)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"accept", "chained"}, 2, "--from HOST"},
		{[]string{"accept", "chained", "--from", "nobody"}, 1, "does not poll chained now"},
		{[]string{"diff", "chaimed"}, 3, "chained"},
		{[]string{"diff", "manual"}, 2, "streams that were added by hand"},
		{[]string{"accept", "chained", "--from", "ham"}, 0, "in force: v2 of ham"},
	} {
		if _, errOut, code := realrun.Command(n.t, n.redis.URL(), append([]string{"sources"}, c.args...)...); code != c.code || !strings.Contains(errOut, c.says) {
			n.t.Errorf("sources %v: %d, %q; want %d, %q", c.args, code, errOut, c.code, c.says)
		}
	}
	n.supposed = slices.DeleteFunc(n.supposed, func(slot string) bool { return strings.HasPrefix(slot, "c") && strings.HasSuffix(slot, " rec") })
	n.processes = nil
	n.runs("by ham's file")
	realtest.Await(n.t, time.Minute, "now ber differs", func() bool {
		stdout, _, _ := realrun.Command(n.t, n.redis.URL(), "sources", "ls")
		return strings.Contains(stdout, "v2 of ham; ber's file differs since") && strings.Contains(stdout, ": rec comes")
	})
}
