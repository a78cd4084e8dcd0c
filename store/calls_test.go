package store_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// scriptCall runs one script through the store's own API. It returns the error
// of the store; those that speak of the state (stale, hold, …) are answers.
type scriptCall struct {
	script string
	run    func(ctx context.Context, s *store.Store) error
}

// everyCall is each script once, for one slot of one host.
func everyCall(h store.Holder, v store.Reservation) []scriptCall {
	id := stream.Class{}.ID()
	move := store.Move{Reservation: v, Target: "*"}
	return []scriptCall{
		{"fence", func(ctx context.Context, s *store.Store) error { _, err := s.Fence(ctx); return err }},
		{"reap", func(ctx context.Context, s *store.Store) error { _, err := s.Reap(ctx, store.ReapMemory{}); return err }},
		{"register", func(ctx context.Context, s *store.Store) error {
			_, err := s.Register(ctx, store.Registration{Holder: h, HostID: "id-" + h.Host, TTL: 10 * time.Second, Beat: 2 * time.Second,
				Offers: []store.Offer{{Type: v.Type, Capacity: limit(2)}}})
			return err
		}},
		{"heartbeat", func(ctx context.Context, s *store.Store) error { _, err := s.Heartbeat(ctx, h); return err }},
		{"check", func(ctx context.Context, s *store.Store) error {
			_, err := s.CheckService(ctx, h, v.Type, "502")
			return err
		}},
		{"check", func(ctx context.Context, s *store.Store) error {
			_, err := s.CheckService(ctx, h, v.Type, "")
			return err
		}},
		{"announce", func(ctx context.Context, s *store.Store) error {
			_, err := s.Announce(ctx, store.Poll{Source: "src", Poller: "p", Upsert: map[string]string{v.Key: stream.Announcement{Chain: []string{stream.SlotOf(v.Instance)}}.Encode()},
				Absent: []string{"other"}, Back: []string{"another"}, GoneAfter: time.Second, Info: store.SourceInfo{Type: "t", URL: "u"}})
			return err
		}},
		{"rules", func(ctx context.Context, s *store.Store) error {
			_, err := s.OfferRules(ctx, store.RulesOffer{Source: "src", Host: "p", Info: store.SourceInfo{Type: "t", URL: "u"}, Digest: "d", Text: "{}", Fresh: true})
			return err
		}},
		{"accept", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.AcceptRules(ctx, "src", "p")
			return err
		}},
		{"sourcefailed", func(ctx context.Context, s *store.Store) error {
			return s.SourceFailed(ctx, "src", store.SourceInfo{Type: "t", URL: "u"}, "p", "refused", time.Second)
		}},
		{"watch", func(ctx context.Context, s *store.Store) error { _, err := s.WatchSources(ctx); return err }},
		{"mark", func(ctx context.Context, s *store.Store) error { return s.MarkDirty(ctx, v.Key) }},
		{"want", func(ctx context.Context, s *store.Store) error {
			marks, err := s.Dirty(ctx, 10)
			for _, m := range marks {
				if m.Key == v.Key {
					_, err = s.Want(ctx, store.Want{Mark: m, Wanted: true, Chain: []string{stream.SlotOf(v.Instance)}, Fields: map[string]string{"source": "src"}})
				}
			}
			return err
		}},
		{"note", func(ctx context.Context, s *store.Store) error {
			_, err := s.Note(ctx, store.Noted{Key: v.Key, Instance: v.Instance, Reason: stream.Because(stream.CodeNoRoom)})
			return err
		}},
		{"place", func(ctx context.Context, s *store.Store) error {
			_, err := s.Place(ctx, []store.Request{{Key: v.Key, Instance: v.Instance, Type: v.Type, Candidates: []store.Candidate{{Class: id}}}})
			return err
		}},
		{"outbox", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.Outbox(ctx, time.Second, time.Minute, 9)
			return err
		}},
		{"claim", func(ctx context.Context, s *store.Store) error { return s.Claim(ctx, v, h.Incarnation) }},
		{"publish", func(ctx context.Context, s *store.Store) error {
			_, err := s.Publish(ctx, v, h.Incarnation, map[string]string{"url": "u", "port": "1"})
			return err
		}},
		{"report", func(ctx context.Context, s *store.Store) error {
			return s.Report(ctx, v, h.Incarnation, store.Observation{Event: "restarted", Reason: stream.Because(stream.CodeExited, "exit", "exit 1"), Fields: map[string]string{"restarts": "1", "speed": "1.0x"}})
		}},
		{"assert", func(ctx context.Context, s *store.Store) error {
			_, err := s.Assert(ctx, v, h.Incarnation, store.Copy{Source: "src", Announcement: `{"chain":["enc"]}`, Chain: []string{stream.SlotOf(v.Instance)},
				Fields: map[string]string{"lang": "de"}, Vars: map[string]string{"url": "u"}})
			return err
		}},
		{"aside", func(ctx context.Context, s *store.Store) error { return store.SetAside(ctx, s, "requeue", "zset") }},
		{"restore", func(ctx context.Context, s *store.Store) error { return store.Restore(ctx, s, "src") }},
		{"cordon", func(ctx context.Context, s *store.Store) error { return s.Drain(ctx, h.Host, time.Minute, 0) }},
		{"reindex", func(ctx context.Context, s *store.Store) error {
			_, err := s.Reindex(ctx, h.Host, map[string]bool{v.Type: true})
			return err
		}},
		{"mend", func(ctx context.Context, s *store.Store) error {
			_, err := s.Mender().All(ctx, 10*time.Second)
			return err
		}},
		{"restart", func(ctx context.Context, s *store.Store) error {
			_, err := s.Restart(ctx, v.Key, v.Instance, false)
			return err
		}},
		{"move", func(ctx context.Context, s *store.Store) error {
			_, err := s.Move(ctx, v.Key, v.Instance, "", time.Minute)
			return err
		}},
		{"evict", func(ctx context.Context, s *store.Store) error {
			_, err := s.Evict(ctx, move, false, []string{id})
			return err
		}},
		{"succeed", func(ctx context.Context, s *store.Store) error { return s.Succeed(ctx, move) }},
		{"lead", func(ctx context.Context, s *store.Store) error { _, err := s.Lead(ctx, v, "2-x"); return err }},
		{"endmove", func(ctx context.Context, s *store.Store) error {
			_, err := s.EndMove(ctx, move, stream.Because(stream.CodeNoRoom))
			return err
		}},
		{"unassign", func(ctx context.Context, s *store.Store) error {
			return s.Unassign(ctx, v, time.Second, stream.Because(stream.CodeUnclaimed))
		}},
		{"release", func(ctx context.Context, s *store.Store) error {
			_, err := s.Release(ctx, v, h.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Second, OnlyIfRoom: true, Classes: []string{id}})
			return err
		}},
		{"ended", func(ctx context.Context, s *store.Store) error {
			return s.TellEnded(ctx, h.Host, h.Incarnation, store.End{Reservation: v, Copy: store.Copy{Fields: map[string]string{"title": "t"}, Vars: map[string]string{"dir": "d"}}, Untold: []string{"1"}})
		}},
		{"items", func(ctx context.Context, s *store.Store) error {
			_, err := s.TellItems(ctx, v, h.Incarnation, []string{"1", "2"})
			return err
		}},
		{"job", func(ctx context.Context, s *store.Store) error {
			return s.RetryJob(ctx, "s1", "upload~0123456789abcdef")
		}},
		{"prunejobs", func(ctx context.Context, s *store.Store) error { return s.PruneJobs(ctx) }},
		{"elsewhere", func(ctx context.Context, s *store.Store) error {
			_, err := s.Elsewhere(ctx, v, []string{id})
			return err
		}},
		{"held", func(ctx context.Context, s *store.Store) error { _, err := s.Overview(ctx); return err }},
		{"raise", func(ctx context.Context, s *store.Store) error { _, err := s.Raise(ctx); return err }},
		{"seat", func(ctx context.Context, s *store.Store) error {
			_, err := s.Seat(ctx, "me", 3, time.Second)
			return err
		}},
		{"requeuedue", func(ctx context.Context, s *store.Store) error { _, err := s.RequeueDue(ctx, 5); return err }},
		{"retract", func(ctx context.Context, s *store.Store) error { _, err := s.Retract(ctx, "src", v.Key); return err }},
		{"dropsource", func(ctx context.Context, s *store.Store) error { _, err := s.DropSource(ctx, "src"); return err }},
		{"override", func(ctx context.Context, s *store.Store) error {
			return s.Override(ctx, v.Key, map[string]string{"slot:" + v.Instance: store.SwitchOn, "held": ""})
		}},
		{"leave", func(ctx context.Context, s *store.Store) error { _, err := s.Leave(ctx, h); return err }},
		{"prune", func(ctx context.Context, s *store.Store) error { return s.PruneClasses(ctx, v.Type, map[string]bool{}) }},
		{"forget", func(ctx context.Context, s *store.Store) error { _, err := s.Forget(ctx, h.Host, 0); return err }},
		{"forget", func(ctx context.Context, s *store.Store) error { return s.ForgetGone(ctx, h.Host) }},
	}
}

// isAnswer tells a word on the state from a failure of the script or its caller.
func isAnswer(err error) bool {
	var hold *store.HoldError
	var move *store.MoveError
	var taken *store.TakenError
	var changed *store.ChangedError
	var source *store.SourceTakenError
	var polled *store.PolledError
	var used *store.InUseError
	return err == nil || errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrUnknownHost) || errors.Is(err, store.ErrNotFound) ||
		errors.As(err, &hold) || errors.As(err, &move) || errors.As(err, &taken) || errors.As(err, &changed) || errors.As(err, &source) || errors.As(err, &polled) || errors.As(err, &used)
}

// running brings s1/enc to life on a.
func running(g *stage) (store.Holder, store.Reservation) {
	g.t.Helper()
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	return a, v
}

// argv counts what each script is sent.
type argv struct {
	byScript map[string][]string // SHA → last arguments
	calls    int
}

func (c *argv) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *argv) see(cmd redis.Cmder) {
	args := cmd.Args()
	if len(args) < 3 || strings.ToLower(args[0].(string)) != "evalsha" {
		return
	}
	c.calls++
	var list []string
	for _, a := range args[3:] {
		switch v := a.(type) {
		case string:
			list = append(list, v)
		case int:
			list = append(list, strconv.Itoa(v))
		case int64:
			list = append(list, strconv.FormatInt(v, 10))
		default:
			list = append(list, "?")
		}
	}
	c.byScript[args[1].(string)] = list
}

func (c *argv) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.see(cmd); return next(ctx, cmd) }
}

func (c *argv) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			c.see(cmd)
		}
		return next(ctx, cmds)
	}
}

// TestCallsSendWhatTheScriptsRead: each script is called by the table above with
// as many arguments as it names, and whole groups of those that repeat.
func TestCallsSendWhatTheScriptsRead(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	seen := &argv{byScript: map[string][]string{}}
	g.client.AddHook(seen)
	called := map[string]bool{}
	for _, c := range everyCall(a, v) {
		called[c.script] = true
		clear(seen.byScript)
		if err := c.run(g.ctx, g.s); !isAnswer(err) {
			t.Errorf("%s: %v", c.script, err)
		}
		sent, ok := seen.byScript[store.ScriptSHA(g.s, c.script)]
		if !ok {
			t.Errorf("%s was not called", c.script)
			continue
		}
		text := store.ScriptTexts(g.s)[c.script]
		named := 0
		for _, m := range regexp.MustCompile(`ARGV\[(\d+)\]`).FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(m[1])
			named = max(named, n)
		}
		first := regexp.MustCompile(`local FIRST\b`).MatchString(text)
		if len(sent) < named || len(sent) > named && !first {
			t.Errorf("%s is sent %d arguments and names %d", c.script, len(sent), named)
		}
	}
	files, err := filepath.Glob("../lua/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".lua"); !called[name] {
			t.Errorf("%s is in no call of this test", name)
		}
	}
}

// TestSwitchesKnowEveryStatus: the Go file of a script names each status that
// the script's head promises, and treats any other as an error.
func TestSwitchesKnowEveryStatus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../lua/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source := name + ".go"
		code, err := os.ReadFile(source)
		if err != nil {
			t.Errorf("%s.lua has no Go file of its name: %v", name, err)
			continue
		}
		for _, m := range regexp.MustCompile(`return \{ '([a-z]+)'`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(code), `"`+m[1]+`"`) {
				t.Errorf("%s.lua returns %q, which %s does not know", name, m[1], source)
			}
		}
		if !strings.Contains(string(code), `unexpected("`+name+`")`) {
			t.Errorf("%s takes any status of %s.lua for a good one", source, name)
		}
	}
}

// TestEveryScriptRunsTwice: the second run of each answers, and changes nothing
// that the books do not allow.
func TestEveryScriptRunsTwice(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	for _, c := range everyCall(a, v) {
		for range 2 {
			if err := c.run(g.ctx, g.s); !isAnswer(err) {
				t.Errorf("%s: %v", c.script, err)
			}
			g.balanced(c.script)
		}
	}
}

// TestScriptsForgottenAtAnyTimeAreLoadedAgain: SCRIPT FLUSH before each call.
func TestScriptsForgottenAtAnyTimeAreLoadedAgain(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	for _, c := range everyCall(a, v) {
		g.must(g.client.ScriptFlush(g.ctx).Err())
		if err := c.run(g.ctx, g.s); !isAnswer(err) {
			t.Errorf("%s: %v", c.script, err)
		}
		g.balanced(c.script)
	}
}

// TestEveryScriptAnswersOnAnEmptyStore, where all it looks for is absent.
func TestEveryScriptAnswersOnAnEmptyStore(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	h, v := store.Holder{Host: "a", Incarnation: "a-1"}, store.Reservation{Key: "s1", Instance: "enc.1", Type: "enc", Host: "a", Token: "1-x"}
	for _, c := range everyCall(h, v) {
		g.empty()
		if c.script == "requeuedue" {
			g.must(g.s.RequeueAt(g.ctx, map[string]int64{"s1": 1}))
		}
		if err := c.run(g.ctx, g.s); !isAnswer(err) {
			t.Errorf("%s: %v", c.script, err)
		}
	}
}

// balanced checks the books (I1 to I4, I6) as the random model does.
func (g *stage) balanced(after string) {
	g.t.Helper()
	w := &world{ctx: g.ctx, client: g.client, over: map[string]int{}, pairs: map[string]int{}, seen: map[string]int{}, handovers: map[[2]string]bool{}}
	p, err := w.picture()
	g.must(err)
	w.checkRecords(p, after)
	if w.err != nil {
		g.t.Errorf("after %s: %v", after, w.err)
	}
}
