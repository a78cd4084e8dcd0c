package e2e

import (
	"fmt"
	"io"
	"net"
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

// refusal is a Redis that answers and takes no writes: how it is brought about
// and ended, and what everybody has to say of it.
type refusal struct {
	word   string // as metrics name it
	answer string // how Redis begins its answer
	do     string // of the advice
	args   []string
	begin  func(t *testing.T, server *realtest.RedisServer)
	end    func(t *testing.T, server *realtest.RedisServer)
}

func set(name, value string) func(*testing.T, *realtest.RedisServer) {
	return func(t *testing.T, server *realtest.RedisServer) {
		t.Helper()
		if err := server.Client().ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func say(words ...any) func(*testing.T, *realtest.RedisServer) {
	return func(t *testing.T, server *realtest.RedisServer) {
		t.Helper()
		if err := server.Client().Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

var refusals = []refusal{
	{word: "oom", answer: "OOM ", do: "raise maxmemory", begin: set("maxmemory", "1"), end: set("maxmemory", "0")},
	{word: "misconf", answer: "MISCONF ", do: "free space", args: []string{"--save", "3600 1", "--dbfilename", "dump"},
		// A directory stands where the file is to be.
		begin: func(t *testing.T, server *realtest.RedisServer) { saves(t, server, os.Mkdir, "err") },
		end: func(t *testing.T, server *realtest.RedisServer) {
			saves(t, server, func(at string, _ os.FileMode) error { return os.RemoveAll(at) }, "ok")
		}},
	{word: "readonly", answer: "READONLY ", do: "give the primary", begin: say("replicaof", "127.0.0.1", "1"), end: say("replicaof", "no", "one")},
	{word: "noreplicas", answer: "NOREPLICAS ", do: "min-replicas-to-write", begin: set("min-replicas-to-write", "1"), end: set("min-replicas-to-write", "0")},
}

// saves changes what lies where the server writes its data, and has it save.
func saves(t *testing.T, server *realtest.RedisServer, change func(string, os.FileMode) error, status string) {
	t.Helper()
	if err := change(filepath.Join(server.Dir, "dump"), 0o700); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	realtest.Await(t, 30*time.Second, "the save ends with "+status, func() bool {
		_ = server.Client().BgSave(t.Context()).Err() // one may be under way
		return strings.Contains(server.Client().Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:"+status)
	})
}

// looks are the commands that only look.
var looks = []string{
	"status", "status -o json", "streams ls", "streams show s1", "hosts ls", "services ls", "sources ls", "events -n 5",
}

// TestAStoreThatTakesNoWritesIsSaidByEverybody: children stay, looking works,
// each place says what Redis answers and what helps, and all recovers.
func TestAStoreThatTakesNoWritesIsSaidByEverybody(t *testing.T) {
	t.Parallel()
	for _, r := range refusals {
		t.Run(r.word, func(t *testing.T) {
			t.Parallel()
			server := realtest.Redis(t, r.args...)
			watch, list, url := realrun.Observe(t), newListing(t, "s1"), server.URL()
			base := fmt.Sprintf("http://127.0.0.1:%d", realtest.FreePort(t))
			h := realrun.Start(t, "a", url, quickLease+list.source("work")+"services:\n"+watch.ChildService("work", "", "capacity: 10")+
				fmt.Sprintf("web: {listen: %q}\n", strings.TrimPrefix(base, "http://")))
			realtest.Await(t, 40*time.Second, "s1 runs", func() bool { return len(watch.Alive()) == 1 })
			r.begin(t, server)

			realtest.Await(t, 40*time.Second, "status says why nothing is given", func() bool {
				hold := realrun.Status(t, url).Hold
				return hold != nil && hold.Refuses == r.word && strings.Contains(hold.Reason, r.answer) && strings.Contains(hold.Reason, r.do)
			})
			for _, line := range looks {
				if out, errOut, code := realrun.Command(t, url, strings.Fields(line)...); code != 0 {
					t.Errorf("%s: exit %d: %s%s", line, code, out, errOut)
				}
			}
			out, errOut, code := realrun.Command(t, url, "doctor")
			if code != 1 || !strings.Contains(out, "Redis takes no writes, so nothing new starts: "+r.answer) || !strings.Contains(out, r.do) || !strings.Contains(out, "the store answers in") {
				t.Errorf("doctor: exit %d: %s%s", code, out, errOut)
			}
			_, errOut, code = realrun.Command(t, url, "streams", "add", "s9", "--chain", "work")
			if code != 1 || !strings.Contains(errOut, r.answer) || !strings.Contains(errOut, r.do) || strings.Contains(errOut, "is it running") {
				t.Errorf("streams add: exit %d: %s", code, errOut)
			}
			realtest.Await(t, 20*time.Second, "page, API and metrics say so", func() bool {
				metrics := body(t, base+"/metrics")
				return strings.Contains(body(t, base+"/api/v1/status"), r.answer) && strings.Contains(body(t, base+"/api/v1/picture"), `"refuses":"`+r.word+`"`) &&
					strings.Contains(metrics, `stream_api_store_refuses{why="`+r.word+`"} 1`) && strings.Contains(metrics, `stream_api_store_refusals_total{why="`+r.word+`"}`) &&
					strings.Contains(metrics, "stream_api_store_up 1")
			})
			if !strings.Contains(h.Log(), "Redis refuses the scheduler") || !strings.Contains(h.Log(), r.do) {
				t.Error("the host's log does not say what Redis answers")
			}

			r.end(t, server)
			list.set("s1", "s2")
			realtest.Await(t, 60*time.Second, "s2 runs, too", func() bool { return len(watch.Alive()) == 2 })
			realtest.Await(t, 30*time.Second, "nothing is said of it any more", func() bool {
				return realrun.Status(t, url).Hold == nil && !strings.Contains(body(t, base+"/metrics"), "stream_api_store_refuses{")
			})
			if lives := watch.Lives(); len(lives) != 2 {
				t.Errorf("children lived: %+v; want one each", lives)
			}
		})
	}
}

// TestARedisThatLetsNobodyInIsSaid: of whatever a command is answered, what
// Redis said and what helps.
func TestARedisThatLetsNobodyInIsSaid(t *testing.T) {
	t.Parallel()
	protected := func(t *testing.T) *realtest.RedisServer { return realtest.Redis(t, "--requirepass", "s3cret") }
	for _, v := range []struct {
		name, answer, do string
		url              func(t *testing.T) string
	}{
		{"no password", "NOAUTH ", "redis://:PASSWORD@host", func(t *testing.T) string { return protected(t).URL() }},
		{"wrong password", "WRONGPASS ", "mend user or password", func(t *testing.T) string { return "unix://:wrong@" + protected(t).Addr }},
		{"no such database", "ERR DB index is out of range", "/0 is there always", func(t *testing.T) string { return realtest.Redis(t).URL() + "?db=99" }},
		{"maxclients", "ERR max number of clients reached", "raise maxclients", func(t *testing.T) string {
			server := realtest.Redis(t)
			set("maxclients", "1")(t, server)
			c := redis.NewClient(server.Options())
			t.Cleanup(func() { _ = c.Close() })
			return server.URL()
		}},
		{"a script that is busy", "BUSY ", "SCRIPT KILL", func(t *testing.T) string {
			server := realtest.Redis(t)
			set("lua-time-limit", "50")(t, server)
			o := server.Options()
			o.ReadTimeout, o.MaxRetries = time.Minute, -1
			c := redis.NewClient(o)
			ended := make(chan error, 1)
			go func() { ended <- c.Eval(t.Context(), "while true do end", nil).Err() }()
			t.Cleanup(func() { _ = c.Close(); <-ended })
			realtest.Await(t, 20*time.Second, "Redis is busy", func() bool {
				err := server.Client().Get(t.Context(), "x").Err()
				return err != nil && strings.HasPrefix(err.Error(), "BUSY")
			})
			return server.URL()
		}},
		{"a replica without its primary", "MASTERDOWN ", "lost its primary", func(t *testing.T) string {
			server := realtest.Redis(t, "--replica-serve-stale-data", "no")
			say("replicaof", "127.0.0.1", "1")(t, server)
			return server.URL()
		}},
		{"a cluster", "CLUSTERDOWN ", "use one primary", func(t *testing.T) string {
			return realtest.Redis(t, "--cluster-enabled", "yes", "--port", fmt.Sprint(realtest.FreePort(t)), "--cluster-port", fmt.Sprint(realtest.FreePort(t))).URL()
		}},
		{"data that are read back", "LOADING ", "wait", loading},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			url := v.url(t)
			_, errOut, code := realrun.Command(t, url, "status")
			if code != 1 || !strings.Contains(errOut, v.answer) || !strings.Contains(errOut, v.do) || strings.Contains(errOut, "is it running") {
				t.Errorf("status: exit %d: %s", code, errOut)
			}
			out, errOut, code := realrun.Command(t, url, "doctor")
			if code != 1 || !strings.Contains(out, v.answer) || !strings.Contains(out, v.do) {
				t.Errorf("doctor: exit %d: %s%s", code, out, errOut)
			}
		})
	}
}

// loading answers as a server that reads its data back, for as long as it is
// asked: a real one is through with it too soon.
func loading(t *testing.T) string {
	dir, err := os.MkdirTemp("", "sa-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }() // nothing can be lost
				for b := make([]byte, 4096); ; {
					if _, err := c.Read(b); err != nil {
						return
					}
					if _, err := c.Write([]byte("-LOADING Redis is loading the dataset in memory\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "unix://" + filepath.Join(dir, "s")
}

// userURL makes a user that may do all but some commands.
func userURL(t *testing.T, server *realtest.RedisServer, name string, less ...string) string {
	t.Helper()
	args := []any{"acl", "setuser", name, "on", ">s3cret", "~*", "&*", "+@all"}
	for _, command := range less {
		args = append(args, "-"+command)
	}
	say(args...)(t, server)
	return "unix://" + name + ":s3cret@" + server.Addr
}

// TestAUserWithoutINFORunsSlots: the usual home-made user.
func TestAUserWithoutINFORunsSlots(t *testing.T) {
	t.Parallel()
	server := realtest.Redis(t)
	url := userURL(t, server, "bob", "@dangerous")
	list := newListing(t, "s1")
	realrun.Start(t, "a", url, quickLease+list.source("work")+worker(5, ""))
	realtest.Await(t, 40*time.Second, "s1 runs", func() bool { return slotOf(realrun.Status(t, url), "s1").State == stream.Running })
	out, _, code := realrun.Command(t, url, "doctor")
	if code != 0 || !strings.Contains(out, "INFO is refused") || !strings.Contains(out, "NOPERM") || strings.Contains(out, "embedded") {
		t.Errorf("doctor: exit %d: %s", code, out)
	}
}

// TestAHostThatRedisRefusesIsSeenByOthers: a user that lacks what one operation
// needs.
func TestAHostThatRedisRefusesIsSeenByOthers(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ without, what string }{
		{"wait", "claim"}, // asked where INFO is not
		{"zadd", "register"},
		{"script|load", "register"},
	} {
		t.Run(v.without, func(t *testing.T) {
			t.Parallel()
			server := realtest.Redis(t)
			list, own := newListing(t, "s1"), userURL(t, server, "bob", "info", v.without)
			base := fmt.Sprintf("http://127.0.0.1:%d", realtest.FreePort(t))
			h := realrun.Start(t, "a", own, quickLease+list.source("work")+worker(5, "")+fmt.Sprintf("web: {listen: %q}\n", strings.TrimPrefix(base, "http://")))
			command, _, _ := strings.Cut(v.without, "|")
			says := func(text string) bool {
				return strings.Contains(text, "NOPERM") && (strings.Contains(strings.ToLower(text), "'"+command) || strings.Contains(strings.ToLower(text), "("+command) || v.without == "wait")
			}
			realtest.Await(t, 40*time.Second, "somebody else's status reads what the host is refused", func() bool {
				for _, r := range realrun.Status(t, server.URL()).Refused {
					if r.Host == "a" && r.Word == "noperm" && says(r.Answer) && r.Do != "" {
						return true
					}
				}
				return false
			})
			realtest.Await(t, 20*time.Second, "its own page and metrics say so", func() bool {
				return says(body(t, base+"/api/v1/picture")) && strings.Contains(body(t, base+"/metrics"), `stream_api_store_refuses{why="noperm"} 1`)
			})
			if out, _, code := realrun.Command(t, server.URL(), "doctor"); code != 1 || !says(out) {
				t.Errorf("doctor: exit %d: %s", code, out)
			}
			if !says(h.Log()) {
				t.Error("the host's log does not say what it is refused")
			}
			if v.what == "claim" {
				realtest.Await(t, 40*time.Second, "the slot's reason says so", func() bool {
					return strings.Contains(slotOf(realrun.Status(t, server.URL()), "s1").Reason, "NOPERM")
				})
			}
			say("acl", "setuser", "bob", "+@all")(t, server)
			realtest.Await(t, 120*time.Second, "s1 runs as soon as it may", func() bool {
				s := slotOf(realrun.Status(t, server.URL()), "s1")
				return s.State == stream.Running && s.Reason == ""
			})
		})
	}
}

// TestAReaderNeedsNoMoreThanToRead: the commands that look, as a user that may
// only read, and on a replica.
func TestAReaderNeedsNoMoreThanToRead(t *testing.T) {
	t.Parallel()
	port := fmt.Sprint(realtest.FreePort(t))
	server := realtest.Redis(t, "--port", port, "--bind", "127.0.0.1")
	list := newListing(t, "s1")
	realrun.Start(t, "a", server.URL(), quickLease+list.source("work")+worker(5, ""))
	realtest.Await(t, 40*time.Second, "s1 runs", func() bool { return slotOf(realrun.Status(t, server.URL()), "s1").State == stream.Running })
	say("acl", "setuser", "eve", "on", ">s3cret", "~*", "&*", "+@read", "+@connection", "+time", "+info", "+subscribe")(t, server)
	replica := realtest.Redis(t, "--replicaof", "127.0.0.1", port)
	realtest.Await(t, 30*time.Second, "the replica follows", func() bool { return replica.Client().Exists(t.Context(), "schema").Val() == 1 })
	for _, url := range []string{"unix://eve:s3cret@" + server.Addr, replica.URL()} {
		for _, line := range looks {
			if out, errOut, code := realrun.Command(t, url, strings.Fields(line)...); code != 0 {
				t.Errorf("%s at %s: exit %d: %s%s", line, url, code, out, errOut)
			}
		}
	}
	if out, errOut, code := realrun.Command(t, replica.URL(), "doctor"); code != 1 || !strings.Contains(out, "this is a replica") {
		t.Errorf("doctor on a replica: exit %d: %s%s", code, out, errOut)
	}
	if out, errOut, code := realrun.Command(t, "unix://eve:s3cret@"+server.Addr, "doctor"); code != 0 {
		t.Errorf("doctor as a reader: exit %d: %s%s", code, out, errOut)
	}
}

func body(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = answer.Body.Close() }() // only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
