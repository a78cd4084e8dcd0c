package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

func TestHostWaitsForAnUnreachableStoreAndSaysSo(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	redis.Stop()
	list := newListing(t, "s1")
	h := realrun.Start(t, "a", redis.URL(), quickLease+list.source("work")+worker(1, ""))
	realtest.Await(t, 20*time.Second, "the host says that it waits for the store", func() bool {
		return strings.Contains(h.Log(), "store") && strings.Contains(h.Log(), "wait")
	})
	redis.Start()
	realtest.Await(t, 30*time.Second, "s1 runs once the store is there", func() bool {
		return slotOf(realrun.Status(t, redis.URL()), "s1").State == stream.Running
	})
}

func TestWrongConfigurationIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("network: {name: a}\nservices:\n  work:\n    plugin: static\n    capacty: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "-c", file}, {"check-config", file}} {
		_, stderr, code := realrun.Command(t, "", args...)
		if code != 2 || !strings.Contains(stderr, "x.yaml:5:5") || !strings.Contains(stderr, `did you mean "capacity"`) || !strings.Contains(stderr, "capacty: 3") {
			t.Errorf("%v: exit %d: %s; want 2, the place, the line and a proposal", args, code, stderr)
		}
	}
	if _, stderr, code := realrun.Command(t, "", "run", "-c", "/nonexistent.yaml"); code != 2 || !strings.Contains(stderr, "/nonexistent.yaml") {
		t.Errorf("missing file: exit %d: %s", code, stderr)
	}
}

func TestBrokenScriptsShowTheirReasonAndHarmNothingElse(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t, "s1")
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("missing, failing, work")+worker(5, `  missing:
    plugin: {name: exec, path: /nonexistent/script.sh}
  failing:
    plugin:
      name: exec
      path: sh
      args: [-c, "echo the encoder is on fire >&2; exit 7"]
      restart: {delay: 50ms, max_delay: 100ms, give_up_after: 3, within: 1m}
`))
	realtest.Await(t, 40*time.Second, "both reasons are shown and work runs", func() bool {
		slots := map[string]stream.InstanceStatus{}
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			for _, slot := range s.Slots {
				slots[slot.Slot] = slot
			}
		}
		missing, failing := slots["missing"], slots["failing"]
		return slots["work"].State == stream.Running &&
			strings.Contains(missing.Reason, "/nonexistent/script.sh") &&
			strings.Contains(failing.Exit+failing.Reason, "7") && strings.Contains(strings.Join(failing.Stderr, "\n"), "the encoder is on fire")
	})
}

func TestNonsenseInAServiceHashTakesThatServiceOutAlone(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	list := newListing(t)
	realrun.Start(t, "a", redis.URL(), quickLease+list.source("work")+worker(5, ""))
	realrun.Start(t, "b", redis.URL(), quickLease+worker(5, ""))
	realtest.Await(t, 20*time.Second, "both hosts are up", func() bool { return len(realrun.Status(t, redis.URL()).Hosts) == 2 })
	if err := redis.Client().HSet(t.Context(), "service:work:a", "capacity", "many", "used", "-3").Err(); err != nil {
		t.Fatal(err)
	}
	list.set("s1", "s2", "s3")
	realtest.Await(t, 30*time.Second, "all run on b and a's problem is shown", func() bool {
		status := realrun.Status(t, redis.URL())
		problem := false
		for _, h := range status.Hosts {
			for _, v := range h.Services {
				problem = problem || h.Host == "a" && strings.Contains(v.Reason, "capacity")
			}
		}
		return problem && countRunning(status) == "a=0 b=3 c=0 pending=0"
	})
}

func TestHostileMountsAreRefusedAndHarmNoOther(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	long := strings.Repeat("x", 300)
	ingest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status-json.xsl" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `{"icestats":{"source":[{"listenurl":"http://h/$(id)","server_type":"a"},{"listenurl":"http://h/%s","server_type":"a"},{"listenurl":"http://h/s1","server_type":"a"}]}}`, long) // the poller is told by the poll's failure
	}))
	t.Cleanup(ingest.Close)
	realrun.Start(t, "a", redis.URL(), quickLease+fmt.Sprintf("sources:\n  - name: in\n    plugin: poll\n    vars: {url: %q, type: icecast}\n    chain: [work]\n", ingest.URL)+worker(5, ""))
	realtest.Await(t, 30*time.Second, "s1 runs and two mounts are counted as refused", func() bool {
		status := realrun.Status(t, redis.URL())
		return slotOf(status, "s1").State == stream.Running && len(status.Streams) == 1 &&
			len(status.Sources) == 1 && status.Sources[0].Refused == 2 && status.Sources[0].Example != ""
	})
}

func TestTermLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	redis, watch := realtest.Redis(t), realrun.Observe(t)
	list := newListing(t, "s1", "s2")
	h := realrun.Start(t, "a", redis.URL(), quickLease+list.source("work")+"services:\n"+watch.ChildService("work", "", "capacity: 5"))
	realtest.Await(t, 30*time.Second, "two children live", func() bool { return len(watch.Alive()) == 2 })
	h.Signal(syscall.SIGTERM)
	if code := h.Wait(15 * time.Second); code != 0 {
		t.Errorf("exit code %d after TERM", code)
	}
	if left := watch.Alive(); len(left) != 0 {
		t.Errorf("children live on after TERM: %+v", left)
	}
	if n := redis.Client().ZCard(t.Context(), "slots:a").Val(); n != 0 {
		t.Errorf("the host still holds %d slots", n)
	}
}

// slotOf is the first slot of a stream, the zero value for none.
func slotOf(status stream.Status, key string) stream.InstanceStatus {
	for _, s := range status.Streams {
		if s.Key == key && len(s.Slots) > 0 {
			return s.Slots[0]
		}
	}
	return stream.InstanceStatus{}
}
