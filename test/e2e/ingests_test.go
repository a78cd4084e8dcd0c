package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// toySource is the YAML of a source that polls a toy ingest.
func toySource(name string, c *toyIcecast, more string) string {
	return fmt.Sprintf("  - name: %s\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 1s, timeout: 1s, gone_after: %v}\n    chain: [work]\n%s", name, c.URL, goneAfter, more)
}

func TestBackupIngestTakesOverWithOneRestartAndGivesBack(t *testing.T) {
	t.Parallel()
	redis, watch := realtest.Redis(t), realrun.Observe(t)
	first, backup := newToyIcecast(t), newToyIcecast(t)
	first.add(keys("s", 0, 10)...)
	backup.add(keys("s", 0, 10)...)
	realrun.Start(t, "a", redis.URL(), quickLease+"sources:\n"+toySource("first", first, "    rank: 10\n")+toySource("backup", backup, "")+
		"services:\n"+watch.ChildService("work", `TEST_CHILD_NOTE: "${source:url}"`, "capacity: 20"))
	from := func(url string) func() bool {
		return func() bool {
			n := 0
			for _, l := range watch.Alive() {
				if l.Env == url {
					n++
				}
			}
			return n == 10 && len(watch.Alive()) == 10
		}
	}
	realtest.Await(t, 40*time.Second, "ten children pull from the first ingest", from(first.URL))
	started := len(watch.Lives())

	first.fail(true)
	killed := time.Now()
	realtest.Await(t, 40*time.Second, "ten children pull from the backup", from(backup.URL))
	t.Logf("first ingest dead → all on the backup: %v (gone_after %v + interval 1 s + 1 s)", time.Since(killed).Round(10*time.Millisecond), goneAfter)
	if n := len(watch.Lives()) - started; n != 10 {
		t.Errorf("%d starts for ten streams; want one restart each", n)
	}

	first.fail(false)
	back := time.Now()
	realtest.Await(t, 60*time.Second, "ten children pull from the first ingest again", from(first.URL))
	t.Logf("first ingest back → all on it again: %v (hysteresis 15 s)", time.Since(back).Round(10*time.Millisecond))
	if n := len(watch.Lives()) - started; n != 20 {
		t.Errorf("%d starts for ten streams and two changes; want 20", n)
	}
	if d := watch.Doubles(); len(d) > 0 {
		t.Errorf("slots ran twice: %v", d)
	}
}

func TestBrokenStatusPageStopsNothing(t *testing.T) {
	t.Parallel()
	redis, watch, ingest := realtest.Redis(t), realrun.Observe(t), newToyIcecast(t)
	ingest.add("s1", "s2")
	realrun.Start(t, "a", redis.URL(), quickLease+"sources:\n"+toySource("in", ingest, "")+"services:\n"+watch.ChildService("work", "", "capacity: 20"))
	awaitChildren(t, watch, 2)
	before := watch.Alive()
	ingest.fail(true)
	realtest.Await(t, 30*time.Second, "the source is unknown and says why", func() bool {
		s := realrun.Status(t, redis.URL()).Sources
		return len(s) == 1 && s[0].State == "unknown" && strings.Contains(s[0].Error, "500")
	})
	realtest.Await(t, 3*goneAfter, "gone_after has passed twice", func() bool { return time.Since(before[0].Start) > 2*goneAfter })
	if after := watch.Alive(); len(after) != 2 || after[0].PID != before[0].PID || after[1].PID != before[1].PID {
		t.Errorf("children %+v; want those of before, %+v", after, before)
	}
}

// What is pushed by one scheme to one port may be listed by others.
func TestOurOwnOutputIsNoStream(t *testing.T) {
	t.Parallel()
	redis, watch, ingest := realtest.Redis(t), realrun.Observe(t), newToyIcecast(t)
	ingest.add("s1")
	realrun.Start(t, "a", redis.URL(), quickLease+"sources:\n"+toySource("in", ingest, "")+"services:\n"+
		watch.ChildService("work", "", "capacity: 20\nstream_vars: {url: \"rtmp://127.0.0.1:1935/${stream:key}_out\"}"))
	awaitChildren(t, watch, 1)
	realtest.Await(t, 10*time.Second, "s1 has published its output", func() bool { return slotOf(realrun.Status(t, redis.URL()), "s1").Vars["url"] != "" })
	ingest.add("s1_out", "s2")
	realtest.Await(t, 20*time.Second, "s2 runs and s1_out is refused as a loop", func() bool {
		s := realrun.Status(t, redis.URL())
		return slotOf(s, "s2").State == "running" && len(s.Streams) == 2 && s.Sources[0].Refused == 1 && strings.Contains(s.Sources[0].Example, "s1_out")
	})
}
