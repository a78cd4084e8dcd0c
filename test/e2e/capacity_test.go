package e2e

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

// listing is an exec source whose streams a test writes into a file.
type listing struct {
	t    *testing.T
	path string
}

func newListing(t *testing.T, keys ...string) *listing {
	t.Helper()
	l := &listing{t: t, path: filepath.Join(t.TempDir(), "live")}
	l.set(keys...)
	return l
}

func (l *listing) set(keys ...string) {
	l.t.Helper()
	next := l.path + ".next"
	text := strings.Join(keys, "\n")
	if text != "" {
		text += "\n"
	}
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(next, l.path); err != nil {
		l.t.Fatal(err)
	}
}

func (l *listing) source(chain string) string {
	return fmt.Sprintf("sources:\n  - name: list\n    plugin: exec\n    vars: {command: [cat, %q], interval: 500ms, gone_after: 1s}\n    chain: [%s]\n", l.path, chain)
}

func keys(prefix string, from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%02d", prefix, from+i)
	}
	return out
}

// worker is a service that runs sleep.
func worker(capacity int, more string) string {
	return fmt.Sprintf("services:\n  work:\n    plugin: {name: exec, path: sleep, args: [\"100000\"], stop: {grace: 1s}}\n    capacity: %d\n%s", capacity, more)
}

func TestCapacityIsFilledEvenlyAndNeverExceeded(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t, keys("s", 0, 30)...)
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("work")+worker(10, ""))
	realrun.Start(t, "b", redis.URL(), quickLease+worker(10, ""))
	realrun.Start(t, "c", redis.URL(), quickLease+worker(10, ""))
	over := watchCapacity(t, redis, map[string]int64{"a": 10, "b": 10, "c": 10})

	realtest.Await(t, 40*time.Second, "30 streams run, 10 on each host", func() bool {
		return countRunning(realrun.Status(t, redis.URL())) == "a=10 b=10 c=10 pending=0"
	})

	list.set(keys("s", 0, 60)...)
	realtest.Await(t, 30*time.Second, "30 run and 30 wait, each with a reason that counts the slots", func() bool {
		status := realrun.Status(t, redis.URL())
		for _, s := range status.Streams {
			for _, slot := range s.Slots {
				if slot.State == stream.Pending && !strings.Contains(slot.Reason, "10/10") {
					return false
				}
			}
		}
		return countRunning(status) == "a=10 b=10 c=10 pending=30"
	})

	list.set(keys("s", 10, 50)...)
	realtest.Await(t, 30*time.Second, "ten that waited run in the place of ten that ended", func() bool {
		return countRunning(realrun.Status(t, redis.URL())) == "a=10 b=10 c=10 pending=20"
	})
	if samples, exceeded := over(); exceeded != "" || samples < 50 {
		t.Errorf("%d looks, capacity exceeded: %s", samples, exceeded)
	}
}

// watchCapacity looks every 20 ms at what each host holds, beside the program.
func watchCapacity(t *testing.T, redis *realtest.RedisServer, capacity map[string]int64) func() (samples int, exceeded string) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	samples, exceeded := 0, ""
	client := redis.Client()
	ctx := t.Context()
	go func() {
		defer close(done)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			for host, limit := range capacity {
				held, err := client.ZCard(ctx, "slots:"+host).Result()
				if err == nil && held > limit {
					exceeded = fmt.Sprintf("%s holds %d of %d", host, held, limit)
				}
			}
			samples++
		}
	}()
	return func() (int, string) {
		close(stop)
		<-done
		return samples, exceeded
	}
}

func countRunning(status stream.Status) string {
	hosts, pending := map[string]int{}, 0
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			switch slot.State {
			case stream.Running:
				hosts[slot.Host]++
			case stream.Pending:
				pending++
			}
		}
	}
	return fmt.Sprintf("a=%d b=%d c=%d pending=%d", hosts["a"], hosts["b"], hosts["c"], pending)
}

func TestFilterDrawsItsStreamsToItsHost(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t, "q1", "q2", "s1", "s2")
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("work")+worker(10, "    stream_filter: \"^q\"\n"))
	realrun.Start(t, "b", redis.URL(), quickLease+worker(10, ""))
	realtest.Await(t, 30*time.Second, "q1 and q2 run on a, s1 and s2 on b", func() bool {
		where := ""
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			for _, slot := range s.Slots {
				if slot.State == stream.Running {
					where += s.Key + "@" + slot.Host + " "
				}
			}
		}
		return where == "q1@a q2@a s1@b s2@b "
	})
}
