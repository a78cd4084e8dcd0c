package store_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// TestEveryRefusalIsKnownByItsAnswer: as Redis writes them, versions apart, in
// a script and outside of one.
func TestEveryRefusalIsKnownByItsAnswer(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ answer, word string }{
		{"NOPERM this user has no permissions to run the 'time' command", "noperm"},
		{"NOPERM User bob has no permissions to run the 'time' command", "noperm"},
		{"NOPERM ACL failure in script: User bob has no permissions to run the 'zadd' command script: 3c4f, on @user_script:1.", "noperm"},
		{"ERR The user executing the script can't run this command or subcommand script: 3c4f, on @user_script:1.", "noperm"},
		{"ERR Error running script (call to f_3c4f): @user_script:1: The user executing the script can't run this command or subcommand ", "noperm"},
		{"OOM command not allowed when used memory > 'maxmemory'. script: 3c4f, on @user_script:1.", "oom"},
		{"ERR Error running script (call to f_3c4f): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'. ", "oom"},
		{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "misconf"},
		{"READONLY You can't write against a read only replica. script: 3c4f, on @user_script:1.", "readonly"},
		{"NOREPLICAS Not enough good replicas to write.", "noreplicas"},
		{"NOAUTH Authentication required.", "noauth"},
		{"WRONGPASS invalid username-password pair or user is disabled.", "wrongpass"},
		{"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?", "wrongpass"},
		{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "busy"},
		{"LOADING Redis is loading the dataset in memory", "loading"},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "masterdown"},
		{"CLUSTERDOWN Hash slot not served", "cluster"},
		{"ERR max number of clients reached", "maxclients"},
		{"ERR DB index is out of range", "db"},
		{"DENIED Redis is running in protected mode because protected mode is enabled", "denied"},
		{"ERR unknown command 'INFO', with args beginning with: ", "unknown-command"},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", ""},
		{"BUSYKEY Target key name already exists.", ""},
		{"BUSYGROUP Consumer Group name already exists", ""},
		{"ERR value is not an integer or out of range script: 3c4f, on @user_script:1.", ""},
		{"NOSCRIPT No matching script. Please use EVAL.", ""},
	} {
		r, refused := store.RefusalOf(fmt.Errorf("claim: %w", answered(v.answer)))
		if refused != (v.word != "") || r.Word != v.word || refused && (r.Do == "" || r.Answer == "" || strings.Contains(r.Answer, "user_script")) {
			t.Errorf("%q is known as %+v, %v; want %q", v.answer, r, refused, v.word)
		}
	}
	if _, refused := store.RefusalOf(errors.New("OOM of ours")); refused {
		t.Error("an error of ours counts as an answer of Redis")
	}
}

type answered string

func (a answered) Error() string { return string(a) }
func (answered) RedisError()     {}

// commandsOfUser are those of the documented Redis user, which is what the
// project asks Redis for.
func commandsOfUser(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", "redis", "users.acl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(` \+(\S+)`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) < 40 {
		t.Fatalf("deploy/redis/users.acl allows %v", out)
	}
	return out
}

// TestEachCommandThatIsRefusedIsNamed: with a user that may do all but one
// command, each call answers as ever, or says which command it is.
func TestEachCommandThatIsRefusedIsNamed(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	g.must(g.client.ZAdd(g.ctx, "requeue", redisMember("s1")).Err())
	named := 0
	for _, command := range commandsOfUser(t) {
		base, _, _ := strings.Cut(command, "|")
		g.must(g.client.Do(g.ctx, "acl", "setuser", "bob", "reset", "on", ">x", "~*", "&*", "+@all", "-"+command).Err())
		o := g.client.(*redis.Client).Options()
		client := store.Dial(store.Target{Network: "unix", Addrs: []string{o.Addr}, Username: "bob", Password: "x"}, 2*time.Second)
		s, err := store.New(client, store.Options{Actor: "bob", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
		g.must(err)
		judge := func(what string, err error) {
			t.Helper()
			if isAnswer(err) {
				return
			}
			r, refused := store.RefusalOf(err)
			if !refused || r.Word != "noperm" || !strings.Contains(strings.ToLower(r.Answer), base) {
				t.Errorf("without %s, %s says: %v (%+v); want NOPERM and the command", command, what, err, r)
			}
			named++
		}
		for _, c := range everyCall(a, v) {
			judge(c.script, c.run(g.ctx, s))
		}
		_, err = s.Status(g.ctx)
		judge("status", err)
		_, err = s.LastEvents(g.ctx, 5)
		judge("events", err)
		if findings, err := s.Diagnose(g.ctx); err != nil {
			t.Errorf("without %s the doctor gives up: %v", command, err)
		} else if len(findings) < 3 {
			t.Errorf("without %s the doctor finds %v", command, findings)
		}
		g.must(client.Close())
	}
	if named < 100 {
		t.Errorf("only %d calls were refused: this shows nothing", named)
	}
}

// TestWithoutINFOASlotIsClaimedAndReplicasAreCounted: by WAIT.
func TestWithoutINFOASlotIsClaimedAndReplicasAreCounted(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(realtest.FreePort(t))
	primary := realtest.Redis(t, "--port", port, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	g := &stage{t: t, ctx: t.Context(), client: primary.Client(), trees: map[string][]store.Reservation{}}
	g.c = &clock{t: t, client: g.client, us: 1_800_000_000_000_000}
	g.c.advance(0)
	g.must(g.client.Do(g.ctx, "acl", "setuser", "default", "-info").Err())
	fresh := func() *store.Store {
		s, err := store.New(g.client, store.Options{Actor: "test", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
		g.must(err)
		return s
	}
	g.s = fresh()
	a, v := running(g)
	g.must(fresh().Claim(g.ctx, v, a.Incarnation))
	replica := realtest.Redis(t, "--replicaof", "127.0.0.1", port)
	realtest.Await(t, 20*time.Second, "the replica does not follow", func() bool {
		return replica.Client().Get(g.ctx, "test:clock").Val() != "" && g.client.Do(g.ctx, "wait", 1, 100).Val() == int64(1)
	})
	s := fresh()
	realtest.Await(t, 60*time.Second, "the replica is never counted", func() bool {
		s = fresh()
		g.must(s.Claim(g.ctx, v, a.Incarnation))
		return store.CountedReplicas(s) == 1
	})
	replica.Freeze()
	for range 2 {
		if err := s.Claim(g.ctx, v, a.Incarnation); !errors.Is(err, store.ErrNotReplicated) {
			t.Fatalf("claim while the replica hangs: %v; want ErrNotReplicated", err)
		}
	}
	replica.Thaw()
	findings, err := g.s.Diagnose(g.ctx)
	g.must(err)
	if !slices.ContainsFunc(findings, func(f store.Finding) bool {
		return f.Level == store.Warning && strings.Contains(f.What, "INFO is refused") && strings.Contains(f.What, "NOPERM")
	}) {
		t.Errorf("the doctor finds %v; want that INFO is refused", findings)
	}
}

// TestARestartIsNoticedWithoutINFO: by the scripts that the server forgot, once.
func TestARestartIsNoticedWithoutINFO(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.must(g.client.Set(g.ctx, "test:run_id", "-", 0).Err()) // as of a user that may not ask
	g.open()
	g.host("a")
	until := func() string { return g.client.HGet(g.ctx, "reaper", "until").Val() }
	before := until()
	g.must(g.client.ScriptFlush(g.ctx).Err())
	g.tick()
	first := until()
	if first == before || g.client.HGet(g.ctx, "reaper", "reason").Val() != stream.Because(stream.CodePerhapsRestarted).Wire() {
		t.Errorf("no hold after the scripts were forgotten: %v", g.client.HGetAll(g.ctx, "reaper").Val())
	}
	g.c.advance(100 * time.Millisecond)
	g.memory.Expected += 100
	g.must(g.client.ScriptFlush(g.ctx).Err())
	g.tick()
	if until() != first {
		t.Error("the next who finds the scripts forgotten makes the hold longer")
	}
	// Who may ask INFO beside one who may not finds no other server.
	g.must(g.client.Set(g.ctx, "test:run_id", "abc", 0).Err())
	g.pass(20 * time.Second)
	held := until()
	g.must(g.client.Set(g.ctx, "test:run_id", "-", 0).Err())
	g.tick()
	g.must(g.client.Set(g.ctx, "test:run_id", "abc", 0).Err())
	g.tick()
	if until() != held {
		t.Error("two users, of which one may not ask INFO, hold each other up")
	}
}

// TestWhatKeepsWhatRunsPassesAtMaxmemory: a beat, an assertion, a release, a
// registration, a leave; and not what takes something new.
func TestWhatKeepsWhatRunsPassesAtMaxmemory(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	b := g.host("b")
	g.want("s2")
	w := g.given("s2", "b")
	g.runs(w, b)
	g.want("s3")
	waiting := g.given("s3", "a")
	g.must(g.client.ConfigSet(g.ctx, "maxmemory", "1").Err())
	_, err := g.s.Heartbeat(g.ctx, a)
	g.must(err)
	if err := g.s.Claim(g.ctx, waiting, a.Incarnation); !refusedAs(err, "oom") {
		t.Errorf("a claim at maxmemory: %v; want OOM", err)
	}
	if _, err := g.s.Reap(g.ctx, g.memory); !refusedAs(err, "oom") {
		t.Errorf("a tick at maxmemory: %v; want OOM", err)
	}
	// The server may have been restarted meanwhile, too.
	g.must(g.client.ScriptFlush(g.ctx).Err())
	_, err = g.s.Heartbeat(g.ctx, a)
	g.must(err)
	g.must(g.client.Del(g.ctx, "stream:s1:enc.1").Err())
	if _, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Source: "manual", Chain: []string{"enc"}}); !isAnswer(err) {
		t.Errorf("assert at maxmemory: %v", err)
	}
	_, err = g.s.Release(g.ctx, w, b.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})
	g.must(err)
	if s, err := g.s.Record(g.ctx, "s2"); err != nil || s.LeadOf("enc").State != stream.Pending {
		t.Errorf("after its release s2 is %+v, %v", s.LeadOf("enc"), err)
	}
	g.must(g.register(b, "id-b", b.Incarnation))
	left, err := g.s.Leave(g.ctx, b)
	if err != nil || left != 0 {
		t.Errorf("leave at maxmemory: %d, %v", left, err)
	}
	findings, err := g.s.Diagnose(g.ctx)
	g.must(err)
	for _, want := range []string{"Redis is full: ", "Redis takes no writes, so nothing new starts: OOM"} {
		if !slices.ContainsFunc(findings, func(f store.Finding) bool { return f.Level == store.Failure && strings.HasPrefix(f.What, want) }) {
			t.Errorf("the doctor finds %v; want %q", findings, want)
		}
	}
}

func refusedAs(err error, word string) bool {
	r, refused := store.RefusalOf(err)
	return refused && r.Word == word
}

// TestAnAnswerBeforeTheQuestionIsRead: of a server that is full it is all that
// tells a broken connection from a dead server.
func TestAnAnswerBeforeTheQuestionIsRead(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			address := "127.0.0.1:0"
			if network == "unix" {
				dir, err := os.MkdirTemp("", "sa-")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				address = filepath.Join(dir, "s")
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte("-ERR max number of clients reached\r\n"))
					_ = c.Close()
				}
			}()
			t.Cleanup(func() { _ = l.Close(); <-done })
			client := store.Dial(store.Target{Network: network, Addrs: []string{l.Addr().String()}}, time.Second)
			t.Cleanup(func() { _ = client.Close() })
			s, err := store.New(client, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				if err := s.Check(t.Context()); !refusedAs(err, "maxclients") {
					t.Fatalf("a full server: %v; want what it answered", err)
				}
			}
		})
	}
}

// TestLookingWritesNothing: every read, over a store that holds nothing yet, and
// over one that runs, as a user that may not write.
func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	look := func(s *store.Store) {
		t.Helper()
		g.must(s.Check(g.ctx))
		_, err := s.Status(g.ctx)
		g.must(err)
		_, err = s.Diagnose(g.ctx)
		g.must(err)
		_, err = s.LastEvents(g.ctx, 3)
		g.must(err)
	}
	size := g.client.DBSize(g.ctx).Val()
	look(g.s)
	if now := g.client.DBSize(g.ctx).Val(); now != size {
		t.Errorf("%d keys before a look at an empty store, %d after", size, now)
	}
	running(g)
	g.must(g.client.Do(g.ctx, "acl", "setuser", "eve", "reset", "on", ">x", "~*", "&*", "+@read", "+@connection", "+time", "+info", "+subscribe").Err())
	o := g.client.(*redis.Client).Options()
	client := store.Dial(store.Target{Network: "unix", Addrs: []string{o.Addr}, Username: "eve", Password: "x"}, 2*time.Second)
	t.Cleanup(func() { _ = client.Close() })
	s, err := store.New(client, store.Options{Actor: "eve"})
	g.must(err)
	look(s)
	findings, err := s.Diagnose(g.ctx)
	g.must(err)
	for _, f := range findings {
		if strings.Contains(f.What, "NOPERM") && !strings.Contains(f.What, "min-replicas") {
			t.Errorf("a user that may read everything is refused: %+v", f)
		}
	}
}
