package scheduler

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// keyTable is every key of docs/redis.md with one that the network below has.
var keyTable = map[string]struct {
	kind string
	keys []string
}{
	"service:<type>:<host>":   {"hash", []string{"service:record:a"}},
	"stream:<key>":            {"hash", []string{"stream:m1"}},
	"stream:<key>:<slot>":     {"hash", []string{"stream:m1:record"}},
	"stream:<key>:<instance>": {"hash", []string{"stream:m1:record.1"}},
	"pending:<type>":          {"zset", []string{"pending:record", "pending:idle"}},
	"load:<type>:<class>":     {"zset", []string{"load:record:" + stream.Class{}.ID()}},
	"classes:<type>":          {"hash", []string{"classes:record"}},
	"slots:<host>":            {"zset", []string{"slots:a"}},
	"hosts:lease":             {"zset", []string{"hosts:lease"}},
	"unwell":                  {"zset", []string{"unwell"}},
	"hosts":                   {"set", []string{"hosts"}},
	"types":                   {"set", []string{"types"}},
	"types:wanted":            {"set", []string{"types:wanted"}},
	"sources":                 {"set", []string{"sources"}},
	"streams":                 {"zset", []string{"streams"}},
	"host:<host>":             {"hash", []string{"host:a"}},
	"outbox":                  {"zset", []string{"outbox"}},
	"dirty":                   {"zset", []string{"dirty"}},
	"requeue":                 {"zset", []string{"requeue"}},
	"moves":                   {"hash", []string{"moves"}},
	"draining":                {"set", []string{"draining"}},
	"jobs":                    {"zset", []string{"jobs"}},
	"jobs:made":               {"zset", []string{"jobs:made"}},
	"jobs:done":               {"zset", []string{"jobs:done"}},
	"job:<key>:<instance>":    {}, // of what is done
	"announced:<source>":      {"hash", []string{"announced:manual", "announced:src"}},
	"missing:<source>":        {"hash", []string{"missing:src"}},
	"differs:<source>":        {"hash", []string{"differs:src"}},
	"source:<source>":         {"hash", []string{"source:src", "source:manual"}},
	"override:<key>":          {"hash", []string{"override:m1"}},
	"reaper":                  {"hash", []string{"reaper"}},
	"seats":                   {"zset", []string{"seats"}},
	"token":                   {"string", []string{"token"}},
	"events":                  {"stream", []string{"events"}},
	"schema":                  {"string", []string{"schema"}},
	"turn:upkeep":             {"string", []string{"turn:upkeep"}},
	"aside":                   {"hash", []string{"aside"}},
	"refused":                 {"hash", []string{"refused"}},
	"troubles":                {"hash", []string{"troubles"}},
	"aside:<key>":             {}, // of any type
	"asynq:*":                 {"set", []string{"asynq:queues"}},
	"":                        {"list", []string{"asynq:{record:a}:pending"}}, // another of asynq:*
}

// docKeys reads the names of keys from the table of docs/redis.md.
func docKeys(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Keys")
	table, _, _ = strings.Cut(table, "\n## ")
	var keys []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(table, -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			keys = append(keys, m[1])
		}
	}
	return keys
}

func TestEveryKeyOfThePageIsInTheTableOfWrongTypes(t *testing.T) {
	t.Parallel()
	keys := docKeys(t)
	for _, key := range keys {
		if _, ok := keyTable[key]; !ok {
			t.Errorf("docs/redis.md has %s, and nobody tries it as another type", key)
		}
	}
	for key := range keyTable {
		if key != "" && !slices.Contains(keys, key) {
			t.Errorf("docs/redis.md does not tell of %s", key)
		}
	}
}

// queuedFleet sends through the queues, too.
type queuedFleet struct {
	*fleet
	queues *queue.Client
}

func (f queuedFleet) SlotCommand(ctx context.Context, verb queue.Verb, s queue.Reservation) error {
	if err := f.queues.SlotCommand(ctx, verb, s); err != nil {
		return err
	}
	return f.fleet.SlotCommand(ctx, verb, s)
}

func (f queuedFleet) PausedQueues(ctx context.Context) ([]queue.Service, error) {
	return f.queues.PausedQueues(ctx)
}

func (f queuedFleet) Reset() { f.queues.Reset() }

// TestAKeyOfAnotherTypeStopsNobody makes each key another type while a network
// works. All that is not in the key goes on, the key is told once, and what should
// be in it is there again.
func TestAKeyOfAnotherTypeStopsNobody(t *testing.T) {
	t.Parallel()
	others := []struct {
		kind, command string
		args          []any
	}{{"string", "SET", []any{"x"}}, {"list", "RPUSH", []any{"x"}}, {"hash", "HSET", []any{"x", "1"}}}
	turn := 0
	for _, family := range slices.Sorted(maps.Keys(keyTable)) {
		for _, key := range keyTable[family].keys {
			// Each key is one of the others, and each of these in its turn: a network takes seconds.
			if turn++; others[turn%len(others)].kind == keyTable[family].kind {
				turn++
			}
			wrong := others[turn%len(others)]
			t.Run(key+" a "+wrong.kind, func(t *testing.T) {
				t.Parallel()
				n := newNetwork(t)
				n.before(0)
				m1, p1 := n.instance("m1", "record"), n.instance("p1", "record")
				told := n.told(key)
				if err := n.put(key, wrong.command, wrong.args...); err != nil {
					t.Fatal(err)
				}
				if key == "events" {
					told = 0
				}
				n.worksOn(0, key, told)
				if now := n.instance("m1", "record"); now.Token != m1.Token && !strings.HasPrefix(key, "stream:m1") {
					t.Errorf("m1 was %s, is %s; want it untouched", m1.Token, now.Token)
				}
				if now := n.instance("p1", "record"); now.Token != p1.Token {
					t.Errorf("p1 was %s, is %s; want it untouched", p1.Token, now.Token)
				}
			})
		}
	}
}

// network is two hosts, a stream added by hand and a polled one, and a scheduler.
type network struct {
	*rig
	fleet *fleet
	ends  map[int]*host
}

func newNetwork(t *testing.T) *network {
	r := newRig(t)
	r.ttl = 3 * time.Second
	n := &network{rig: r, ends: map[int]*host{}}
	n.fleet = newFleet(r.host("a", offerOf("record", 20, stream.Class{})), r.host("b", offerOf("dist", 20, stream.Class{})))
	client, err := queue.NewClient(r.redis.Client(), "")
	if err != nil {
		t.Fatal(err)
	}
	n.poll(t)
	r.run(queuedFleet{n.fleet, client}, Options{Upkeep: 300 * time.Millisecond})
	r.add("m1", stream.Announcement{Chain: []string{"record"}, Vars: map[string]string{"x": "1"}})
	r.add("idle", stream.Announcement{Chain: []string{"idle"}}) // nobody offers that
	r.awaitState("m1", "record", stream.Running)
	r.awaitState("p1", "record", stream.Running)
	r.awaitState("idle", "idle", stream.Pending)
	return n
}

// poll has a source listed all the time.
func (n *network) poll(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	text := stream.Announcement{Chain: []string{"record"}}.Encode()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			set, err := n.store.Announced(ctx, "src")
			if err == nil {
				p := store.Poll{Source: "src", Poller: "p", Version: set.Version, GoneAfter: 5 * time.Second, Upsert: map[string]string{}, Info: store.SourceInfo{URL: "http://src", Type: "icecast"}}
				if set.Entries["p1"] != text {
					p.Upsert["p1"] = text
				}
				_, _ = n.store.Announce(ctx, p) // what is refused is told again
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
}

// put makes a key what a hand writes.
func (n *network) put(key, command string, args ...any) error {
	pipe := n.redis.Client().TxPipeline()
	pipe.Del(n.t.Context(), key)
	pipe.Do(n.t.Context(), append([]any{command, key}, args...)...)
	_, err := pipe.Exec(n.t.Context())
	return err
}

// before has a host at work that dies once the key is broken.
func (n *network) before(i int) {
	n.t.Helper()
	end := n.host(fmt.Sprintf("z%d", i), offerOf("last", 1, stream.Class{}))
	n.fleet.mu.Lock()
	n.fleet.hosts[end.id.Host] = end
	n.fleet.mu.Unlock()
	n.ends[i] = end
	n.add(fmt.Sprintf("y%d", i), stream.Announcement{Chain: []string{"last"}})
	n.awaitHost(fmt.Sprintf("y%d", i), "last", end.id.Host)
}

// worksOn checks that all goes on but for what was in the key, and that it comes
// back.
func (n *network) worksOn(i int, key string, before int) {
	n.t.Helper()
	fresh := fmt.Sprintf("x%d", i)
	n.await("another stream is announced", func() bool {
		return n.store.AddStream(n.t.Context(), fresh, stream.Announcement{Chain: []string{"dist"}}) == nil
	})
	n.awaitState(fresh, "dist", stream.Running)
	if _, err := n.store.Status(n.t.Context()); err != nil {
		n.t.Errorf("status: %v", err)
	}
	if _, err := n.store.Diagnose(n.t.Context()); err != nil {
		n.t.Errorf("doctor: %v", err)
	}
	heir := n.host(fmt.Sprintf("zz%d", i), offerOf("last", 1, stream.Class{}))
	n.fleet.mu.Lock()
	n.fleet.hosts[heir.id.Host] = heir
	n.fleet.mu.Unlock()
	n.ends[i].die()
	n.awaitHost(fmt.Sprintf("y%d", i), "last", heir.id.Host)
	n.await("the key is told", func() bool { return n.told(key) > before })
	n.await("it is a problem on the page", func() bool {
		status, err := n.store.Status(n.t.Context())
		return err == nil && slices.ContainsFunc(status.Aside, func(k stream.OddKey) bool { return k.Key == key })
	})
	if got := n.told(key) - before; got != 1 {
		n.t.Errorf("%s is told %d times; want once", key, got)
	}
	if err := n.redis.Client().Del(n.t.Context(), "aside:"+key).Err(); err != nil {
		n.t.Fatal(err)
	}
	n.asItShouldBe(i)
}

// told counts the events of a key, and forgets them for the next time.
func (n *network) told(key string) int {
	events, err := n.store.LastEvents(n.t.Context(), 10_000)
	if err != nil {
		return 0
	}
	count := 0
	for _, e := range events {
		if e.Event == "nonsense" && strings.HasPrefix(e.Reason, key+" was a ") {
			count++
		}
	}
	return count
}

// asItShouldBe waits until the whole network is.
func (n *network) asItShouldBe(i int) {
	n.t.Helper()
	var why string
	n.await("all is as it should be", func() bool {
		why = n.wrong(i)
		if why != "" {
			n.t.Logf("not yet: %s", why)
		}
		return why == ""
	})
}

func (n *network) wrong(i int) string {
	ctx := n.t.Context()
	status, err := n.store.Status(ctx)
	if err != nil {
		return err.Error()
	}
	if len(status.Aside) > 0 {
		return fmt.Sprintf("aside: %+v", status.Aside)
	}
	if len(status.Sources) != 2 {
		return fmt.Sprintf("sources %+v", status.Sources)
	}
	want := map[string]bool{"m1": true, "p1": true, fmt.Sprintf("x%d", i): true, fmt.Sprintf("y%d", i): true}
	held := map[string]int{}
	for _, v := range status.Streams {
		for _, slot := range v.Slots {
			if slot.State != stream.Running && v.Key != "idle" {
				return fmt.Sprintf("%s %s is %s: %s", v.Key, slot.Slot, slot.State, slot.Reason)
			}
			held[slot.Host]++
		}
		delete(want, v.Key)
	}
	if len(want) > 0 {
		return fmt.Sprintf("no streams %v", want)
	}
	hosts := map[string]bool{}
	for _, h := range status.Hosts {
		hosts[h.Host] = true
		used := 0
		for _, v := range h.Services {
			used += v.Used
		}
		rows, err := n.redis.Client().ZCard(ctx, "slots:"+h.Host).Result()
		if err != nil || int(rows) != held[h.Host] || used != held[h.Host] {
			return fmt.Sprintf("%s holds %d, its set %d, used %d (%v)", h.Host, held[h.Host], rows, used, err)
		}
	}
	if !hosts["a"] || !hosts["b"] {
		return fmt.Sprintf("hosts %v", hosts)
	}
	if rank, err := n.redis.Client().ZScore(ctx, "pending:idle", "idle|idle.1").Result(); err != nil || rank == 0 {
		return fmt.Sprintf("idle is not in line: %v", err)
	}
	return ""
}
