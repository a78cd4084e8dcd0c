package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// aclRedis is a Redis that knows the user of deploy/redis/users.acl alone, and
// one more that looks at what that user was refused.
func aclRedis(t *testing.T) (url string, judge, user *redis.Client) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.acl")
	users := strings.ReplaceAll(string(text), ">PASSWORD", ">s3cret") + "user judge on nopass ~* &* +@all\n"
	if err := os.WriteFile(file, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	server := realtest.Redis(t, "--aclfile", file)
	client := func(name, password string) *redis.Client {
		o := server.Options()
		o.Username, o.Password = name, password
		c := redis.NewClient(o)
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("close the client of %s: %v", name, err)
			}
		})
		return c
	}
	return "unix://stream-api:s3cret@" + server.Addr, client("judge", "any"), client("stream-api", "s3cret")
}

// refused lists what Redis refused, as ACL LOG tells it.
func refused(t *testing.T, judge *redis.Client) []string {
	t.Helper()
	entries, err := judge.ACLLog(t.Context(), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s: %s %s (%s), %d times", e.Username, e.Reason, e.Object, e.Context, e.Count))
	}
	return out
}

func TestTheDocumentedRedisUserMayDoAllThatIsNeeded(t *testing.T) {
	t.Parallel()
	url, judge, _ := aclRedis(t)
	list := newListing(t, "s1", "s2")
	port := realtest.FreePort(t)
	web := fmt.Sprintf("web: {listen: \"127.0.0.1:%d\", asynqmon: read_write}\n", port)
	a := realrun.Start(t, "a", url, quickLease+list.source("dist, work")+
		"services:\n  dist: {plugin: static, stream_vars: {url: \"icecast://live\"}}\n"+sleeper("handover: start_first")+web)
	b := realrun.Start(t, "b", url, quickLease+"services:\n"+sleeper("handover: start_first"))
	running := func(want int) func() bool {
		return func() bool { return countSlots(realrun.Status(t, url), stream.Running) == want }
	}
	realtest.Await(t, 30*time.Second, "two streams run", running(4))

	for _, line := range []string{
		"doctor", "events -n 20", "services ls", "hook list", "streams add s3 --chain work lang=de", "streams set s3 lang=en",
		"streams hold s3", "streams unhold s3", "services set work a capacity=9", "hosts cordon b", "hosts uncordon b",
	} {
		if _, errOut, code := realrun.Command(t, url, strings.Fields(line)...); code != 0 {
			t.Errorf("%s: exit %d: %s", line, code, errOut)
		}
	}
	realtest.Await(t, 30*time.Second, "three streams run", running(5))
	for _, line := range []string{"streams move s1 work --wait", "streams restart s1 work --wait", "hosts drain b --wait --deadline 60s", "hosts uncordon b", "streams rm s3"} {
		if _, errOut, code := realrun.Command(t, url, strings.Fields(line)...); code != 0 {
			t.Errorf("%s: exit %d: %s", line, code, errOut)
		}
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	for _, page := range []string{"/", "/metrics", "/readyz", "/api/v1/status", "/asynqmon/api/queues", "/asynqmon/api/servers", "/asynqmon/api/redis_info", "/asynqmon/api/queues/events", "/asynqmon/api/queues/events/completed_tasks"} {
		get(t, base+page)
	}
	for _, action := range []string{"pause", "resume"} {
		post(t, base+"/asynqmon/api/queues/work:b:"+action)
	}

	// A store that forgot its scripts, a source that fails, a host that dies
	// and one that leaves.
	if err := judge.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	list.set("s1")
	realtest.Await(t, 30*time.Second, "s2 is gone", running(2))
	list.set("s1", "s2")
	realtest.Await(t, 30*time.Second, "s2 is back", running(4))
	b.KillMachine()
	realtest.Await(t, 30*time.Second, "everything runs on a", func() bool {
		status := realrun.Status(t, url)
		return countSlots(status, stream.Running) == 4 && used(status, "work") == 2
	})
	a.Signal(15)
	if code := a.Wait(30 * time.Second); code != 0 {
		t.Errorf("a left with exit code %d", code)
	}
	if _, errOut, code := realrun.Command(t, url, "hosts", "rm", "a"); code != 0 {
		t.Errorf("hosts rm a: exit %d: %s", code, errOut)
	}
	if got := refused(t, judge); len(got) > 0 {
		t.Errorf("the user was refused:\n%s", strings.Join(got, "\n"))
	}
}

func TestTheDocumentedRedisUserMayDoNoMore(t *testing.T) {
	t.Parallel()
	_, judge, user := aclRedis(t)
	for _, line := range []string{
		"flushall", "flushdb", "keys *", "config set maxmemory 1", "config get masterauth", "acl list", "shutdown nosave",
		"script flush", "script kill", "client list", "client kill id 1", "monitor", "slaveof no one", "save", "module list", "swapdb 0 1",
		"get other", "hset mine a b", "publish elsewhere x", "subscribe elsewhere", "migrate h 1 k 0 1", "sort hosts", "function list",
	} {
		var args []any
		for _, word := range strings.Fields(line) {
			args = append(args, word)
		}
		if err := user.Do(t.Context(), args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v; want NOPERM", line, err)
		}
	}
	// Nor through a script.
	for _, script := range []string{"return redis.call('GET', 'other')", "return redis.call('FLUSHALL')"} {
		if err := user.Eval(t.Context(), script, nil).Err(); err == nil || !strings.Contains(err.Error(), "permission") && !strings.Contains(err.Error(), "can't") {
			t.Errorf("%s: %v; want a refusal", script, err)
		}
	}
	if len(refused(t, judge)) == 0 {
		t.Error("Redis logged no refusal; then the other test shows nothing")
	}
}

// sleeper is a service whose child sleeps.
func sleeper(more string) string {
	return "  work:\n    plugin: {name: exec, path: sleep, args: [\"100000\"], stop: {grace: 1s}}\n    capacity: 10\n    " + more + "\n"
}

func countSlots(status stream.Status, state stream.State) int {
	n := 0
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			if slot.State == state {
				n++
			}
		}
	}
	return n
}

func get(t *testing.T, address string) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only its status counts
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s", address, answer.Status)
	}
}

func post(t *testing.T, address string) {
	t.Helper()
	answer, err := http.Post(address, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only its status counts
	if answer.StatusCode >= 300 {
		t.Errorf("POST %s: %s", address, answer.Status)
	}
}
