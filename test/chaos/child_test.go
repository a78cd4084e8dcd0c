package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

func TestStalledChildIsRestarted(t *testing.T) {
	t.Parallel()
	const stall = 3 * time.Second
	n := begin(t, plan{workers: 1, capacity: 5, streams: 2, plugin: fmt.Sprintf("stall: %v", stall)})
	first, from := n.watch.Alive(), time.Now()
	realtest.Await(t, time.Minute, "the silent children are started anew", func() bool {
		anew := 0
		for _, l := range n.watch.Lives() {
			for _, f := range first {
				if l.Token == f.Token && l.PID != f.PID {
					anew++
				}
			}
		}
		return anew >= len(first)
	})
	for _, l := range n.watch.Lives() {
		if !l.Alive && l.End.Sub(l.Start) < stall-500*time.Millisecond {
			t.Errorf("the child of %s was ended after %v, before it had been silent for %v", l.Stream, l.End.Sub(l.Start), stall)
		}
	}
	n.noDoubles()
	n.record("stalled child", from)
}

// hooked reads what the hooks wrote: "<hook> <token> <nanoseconds>".
func hooked(t testing.TB, notes string) map[string]map[string]time.Time {
	t.Helper()
	out := map[string]map[string]time.Time{"pre": {}, "post": {}}
	text, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || out[f[0]] == nil {
			continue // half written
		}
		ns, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			t.Fatalf("note %q: %v", line, err)
		}
		out[f[0]][f[1]] = time.Unix(0, ns)
	}
	return out
}

func TestHooksRunAtEveryEndTheDeadlinesIncluded(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "notes")
	hook := func(name string) string {
		return fmt.Sprintf(`[/bin/sh, -c, 'echo "%s $$1 $$(date +%%s%%N)" >> %s', sh, "${slot:token}"]`, name, notes)
	}
	n := begin(t, plan{
		workers: 2, capacity: 10, streams: 6,
		plugin: fmt.Sprintf("stop: {grace: 2s}\nhooks: {pre_start: %s, post_stop: %s}", hook("pre"), hook("post")),
	})
	for _, l := range n.watch.Alive() {
		if at, ok := hooked(t, notes)["pre"][l.Token]; !ok || at.After(l.Start) {
			t.Errorf("pre_start of %s at %v; want it before its start at %v", l.Stream, at, l.Start)
		}
	}
	// A crash, a stop, and a deadline that nobody renews.
	n.crash(n.watch.Alive()[:1])
	n.awaitPosts(notes, n.ended())
	n.awaitLive(6, time.Minute)
	n.list(5)
	n.awaitLive(5, time.Minute)
	n.awaitPosts(notes, n.ended())

	lost, from := n.on("w0"), time.Now()
	n.workers[0].Kill()
	n.awaitElsewhere("w0", lost, time.Minute)
	n.awaitPosts(notes, n.ended())
	posts := hooked(t, notes)["post"]
	for _, old := range n.watch.Lives() {
		if old.Host != "w0" || old.End.Before(from) {
			continue
		}
		for _, l := range n.watch.Alive() {
			if l.Stream == old.Stream && l.Start.Before(posts[old.Token]) {
				t.Errorf("%s ran elsewhere %v before post_stop had cleaned up after it", l.Stream, posts[old.Token].Sub(l.Start))
			}
		}
	}
	n.noDoubles()
}

// ended are the tokens whose children have ended.
func (n *network) ended() []string {
	var out []string
	for _, l := range n.watch.Lives() {
		if !l.Alive {
			out = append(out, l.Token)
		}
	}
	return out
}

// awaitPosts waits until post_stop has run for all of these tokens.
func (n *network) awaitPosts(notes string, tokens []string) {
	n.t.Helper()
	realtest.Await(n.t, time.Minute, "post_stop ran after every end", func() bool {
		posts := hooked(n.t, notes)["post"]
		for _, token := range tokens {
			if _, ok := posts[token]; !ok {
				return false
			}
		}
		return true
	})
}

// A child that ignores TERM and leaves a copy of itself that was forked
// twice, in a session of its own, without files.
func TestDeafDaemonsAreGoneWithinTheGrace(t *testing.T) {
	t.Parallel()
	const grace = 2 * time.Second
	n := begin(t, plan{workers: 2, capacity: 10, streams: 4, childEnv: "TEST_CHILD_MODE: daemon"})
	realtest.Await(t, time.Minute, "each child has left its copy", func() bool { return len(n.watch.Alive()) == 8 })

	n.list(3)
	var asked time.Time
	realtest.Await(t, time.Minute, "the slot is to stop", func() bool {
		asked = time.Now()
		return n.instances()["s003"].State != "running"
	})
	n.goneWithin(asked, grace+time.Second, func(l realrun.Life) bool { return l.Stream == "s003" })

	// Nobody renews the deadline: no grace, and gone before the lease is.
	killed := time.Now()
	n.workers[0].Kill()
	n.goneWithin(killed, ttl, func(l realrun.Life) bool { return l.Host == "w0" })
	realtest.Await(t, time.Minute, "all run on w1, with their copies", func() bool { return len(n.on("w1")) == 6 })

	told := time.Now()
	n.workers[1].Signal(syscall.SIGTERM)
	n.goneWithin(told, grace+time.Second, func(realrun.Life) bool { return true })
	for _, d := range n.watch.Doubles() {
		if d.Tokens[0] != d.Tokens[1] { // a child and its copy have one token
			t.Errorf("%v ran twice", d)
		}
	}
	var last []time.Duration
	for _, l := range n.watch.Lives() {
		if l.Host == "w1" {
			last = append(last, l.End.Sub(told))
		}
	}
	lasted("TERM to the runner → deaf, double-forking children gone (grace 2 s)", last...)
}

// goneWithin fails the test if such children live longer than limit after from.
func (n *network) goneWithin(from time.Time, limit time.Duration, such func(realrun.Life) bool) {
	n.t.Helper()
	realtest.Await(n.t, limit+time.Minute, "the children are gone", func() bool {
		for _, l := range n.watch.Alive() {
			if such(l) {
				return false
			}
		}
		return true
	})
	for _, l := range n.watch.Lives() {
		if such(l) && l.End.Sub(from) > limit+slack(n.t) {
			n.t.Errorf("child %s of %s (%s) lived %v; want at most %v", l.PID, l.Stream, l.Env, l.End.Sub(from), limit)
		}
	}
}
