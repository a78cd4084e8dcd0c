package store_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// torn is a store with slots in every state, an index of each kind, and what
// they look like when nobody tore them.
func torn(t *testing.T) (*stage, picture) {
	t.Helper()
	g := newStage(t).open()
	a := g.host("a")
	g.host("b")
	for _, key := range []string{"s1", "s2", "s3", "s4", "s5", "s6"} {
		g.want(key)
	}
	g.runs(g.given("s1", "a"), a)                // running
	v := g.given("s2", "a")                      // stopping
	g.runs(v, a)                                 //
	g.end("s2")                                  //
	g.given("s3", "b")                           // assigned
	g.must(g.s.Drain(g.ctx, "b", time.Hour, 0))  // s4 to s6 wait
	g.must(g.client.Del(g.ctx, "dirty").Err())   // no mark is left
	g.must(g.client.Del(g.ctx, "requeue").Err()) //
	g.round(true)                                // sources and hosts are as upkeep leaves them
	g.must(g.client.Del(g.ctx, "dirty").Err())   //
	g.save()
	return g, g.indexes(t)
}

// round is what upkeep does of records and hosts; the marks it makes are left. What
// mending gives a host lets its figure stand until the next look.
func (g *stage) round(mend bool) {
	g.t.Helper()
	for range 2 {
		hosts, err := g.s.Hosts(g.ctx)
		g.must(err)
		var held store.Held
		if mend {
			m, err := g.s.Mender().All(g.ctx, 10*time.Second)
			g.must(err)
			held = m.Held
		}
		r, err := g.s.ReindexHosts(g.ctx, hosts, nil, held)
		g.must(err)
		if r.Short == 0 {
			return
		}
	}
}

// TestWhatWasGivenDuringALookIsNotTakenForLost: a slot is placed after its record was
// looked at, and a hand takes the rows of its host. What the look found is less than is
// held; a host has room for two, and holds two.
func TestWhatWasGivenDuringALookIsNotTakenForLost(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "2").Err())
	for _, key := range []string{"s1", "s2", "s3"} {
		g.want(key)
	}
	g.runs(g.given("s1", "a"), a)
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	m, err := g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	g.runs(g.given("s2", "a"), a)
	g.must(g.client.Del(g.ctx, "slots:a").Err())
	r, err := g.s.ReindexHosts(g.ctx, hosts, nil, m.Held)
	g.must(err)
	if used := g.client.HGet(g.ctx, "service:enc:a", "used").Val(); used != "2" || r.Short != 1 {
		t.Errorf("used %s, %d short; want 2, and one whose rows are fewer", used, r.Short)
	}
	g.end("s1")
	g.round(true)
	if used := g.client.HGet(g.ctx, "service:enc:a", "used").Val(); used != "2" {
		t.Errorf("used %s after the next look; want 2", used)
	}
}

// indexes is the picture without what is told anew or grows: figures and rows count,
// not when a lease ends.
func (g *stage) indexes(t *testing.T) picture {
	t.Helper()
	w := &world{ctx: g.ctx, client: g.client}
	p, err := w.picture()
	g.must(err)
	for key, rows := range p {
		switch {
		case key == "dirty", key == "requeue", strings.HasPrefix(key, "test:"), strings.HasPrefix(key, "host:"), key == "reaper":
			delete(p, key)
		case key == "hosts:lease", key == "outbox":
			for row := range rows {
				rows[row] = ""
			}
		}
	}
	return p
}

// tables are the indexes of docs/redis.md, with a row that does not belong there.
// Of these everything comes back by itself.
var tables = map[string]string{
	"pending:enc": "s1|enc.1", "outbox": "s4|enc.1", "slots:a": "enc|s4|enc.1", "slots:b": "enc|s1|enc.1", "hosts:lease": "",
	"hosts": "", "types": "", "types:wanted": "", "streams": "nobody", "draining": "a",
	"load:enc:" + stream.Class{}.ID(): "b", "classes:enc": "",
}

// truths are the keys of docs/redis.md that are no index, and why nothing is
// made of them: who says them says them again, or they are what was said.
var truths = map[string]string{
	"service:<type>:<host>": "its host registers again", "stream:<key>": "announced; want makes it", "stream:<key>:<slot>": "want makes it of its instances", "stream:<key>:<instance>": "want makes it",
	"host:<host>": "it registers", "unwell": "who fails its check says it again", "announced:<source>": "what was said", "missing:<source>": "its pollers say it again", "differs:<source>": "its pollers say it again",
	"source:<source>": "its pollers say it again", "sources": "its pollers, and the records that name one", "override:<key>": "what was said",
	"reaper": "a hold is opened", "seats": "taken again at each beat", "token": "grows by the clock and by assert", "events": "only told",
	"schema": "written again", "turn:upkeep": "taken again at each period", "asynq:*": "hints", "dirty": "TestALostMarkIsMissed",
	"aside": "only told", "refused": "only told", "troubles": "only told", "aside:<key>": "only told", "requeue": "the next round looks", "moves": "a wish that is lost is lost",
	"jobs": "TestWhatAHandTookOfAJobIsMadeAnew", "jobs:made": "what was made", "jobs:done": "what was done", "job:<key>:<instance>": "what was done",
}

// TestEveryIndexIsMadeAnew deletes each, takes each of its rows, and adds one that
// does not belong there. After a round of upkeep it is what it was; without
// mending it is not.
func TestEveryIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	g, before := torn(t)
	needed := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(tables)) {
		for name, tear := range g.tears(t, key) {
			for _, mend := range []bool{false, true} {
				g.restoreSaved()
				g.must(tear())
				g.round(mend)
				got := g.indexes(t)
				if mend && !samePicture(got, before) {
					t.Errorf("%s: %s", name, difference(got, before))
				}
				if !mend && !samePicture(got, before) {
					needed[key] = true
				}
			}
		}
	}
	for _, key := range []string{"pending:enc", "outbox", "slots:a", "slots:b", "streams", "types:wanted"} {
		if !needed[key] {
			t.Errorf("%s came back without mending: this test shows nothing of it", key)
		}
	}
}

// tears are the ways a hand tears a key.
func (g *stage) tears(t *testing.T, key string) map[string]func() error {
	t.Helper()
	kind := g.client.Type(g.ctx, key).Val()
	out := map[string]func() error{"DEL " + key: func() error { return g.client.Del(g.ctx, key).Err() }}
	var rows []string
	switch kind {
	case "set":
		rows = g.client.SMembers(g.ctx, key).Val()
	case "zset":
		rows = g.client.ZRange(g.ctx, key, 0, -1).Val()
	case "hash":
		rows = g.client.HKeys(g.ctx, key).Val()
	default:
		t.Fatalf("%s is of type %s: nothing is tried", key, kind)
	}
	remove := map[string]string{"set": "SREM", "zset": "ZREM", "hash": "HDEL"}[kind]
	for _, row := range rows {
		out[remove+" "+key+" "+row] = func() error { return g.client.Do(g.ctx, remove, key, row).Err() }
		if strings.HasPrefix(key, "slots:") {
			out["ZADD "+key+" 7 "+row] = func() error { return g.client.Do(g.ctx, "ZADD", key, 7, row).Err() }
		}
	}
	if odd := tables[key]; odd != "" {
		add := []any{"SADD", key, odd}
		if kind == "zset" {
			add = []any{"ZADD", key, 7, odd}
		}
		out[fmt.Sprint(add...)] = func() error { return g.client.Do(g.ctx, add...).Err() }
	}
	return out
}

// restoreSaved goes back to the saved state; nothing is asked of anybody.
func (g *stage) restoreSaved() {
	g.t.Helper()
	pipe := g.client.TxPipeline()
	pipe.FlushDB(g.ctx)
	for key, text := range g.saved {
		pipe.Restore(g.ctx, key, 0, text)
	}
	_, err := pipe.Exec(g.ctx)
	g.must(err)
	g.c.advance(0)
}

func samePicture(a, b picture) bool {
	return maps.EqualFunc(a, b, func(x, y map[string]string) bool { return maps.Equal(x, y) })
}

// difference tells the keys in which two pictures differ.
func difference(got, want picture) string {
	var out []string
	for _, p := range []picture{got, want} {
		for key := range p {
			if !maps.Equal(got[key], want[key]) {
				out = append(out, fmt.Sprintf("%s is %v, was %v", key, got[key], want[key]))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), "\n")
}

// TestEveryKeyOfThePageIsAnIndexOrATruth: docs/redis.md, the two tables here.
func TestEveryKeyOfThePageIsAnIndexOrATruth(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(string(page)) {
		cell, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		for _, m := range regexp.MustCompile("([a-z][a-z:<>_*]*)`?").FindAllStringSubmatch(cell, -1) {
			named++
			family := regexp.MustCompile(`<[a-z]+>`).ReplaceAllString(m[1], "")
			index := slices.ContainsFunc(slices.Collect(maps.Keys(tables)), func(key string) bool {
				return key == m[1] || strings.HasSuffix(family, ":") && strings.HasPrefix(key, strings.TrimRight(family, ":")+":") && !strings.Contains(truths[m[1]], " ")
			})
			if !index && truths[m[1]] == "" {
				t.Errorf("%s stands in docs/redis.md and in no table of this test", m[1])
			}
		}
	}
	if named < 20 {
		t.Fatalf("%d keys are named: the page is not read", named)
	}
}

// lost is a hand that deletes keys; a round of upkeep follows.
func (g *stage) lost(keys ...string) {
	g.t.Helper()
	g.must(g.client.Del(g.ctx, keys...).Err())
	g.round(true)
}

func (g *stage) inLine(key string) error {
	g.t.Helper()
	waiting, err := g.s.Pending(g.ctx, "enc", 0, 10)
	g.must(err)
	if !slices.ContainsFunc(waiting, func(w store.Waiting) bool { return w.Key == key }) {
		return fmt.Errorf("I6: %s waits in no queue: %+v", key, waiting)
	}
	return nil
}

func queueIsLost(g *stage) error {
	g.open()
	g.want("s1")
	g.lost("pending:enc")
	return g.inLine("s1")
}

func queueIsLostAndStreamIsMarked(g *stage) error {
	g.open()
	g.want("s1")
	g.must(g.client.Del(g.ctx, "pending:enc").Err())
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	wantMarked(g.t, g.s, "s1", true, "enc")
	return g.inLine("s1")
}

func outboxIsLost(g *stage) error {
	g.open()
	g.host("a")
	g.want("s1")
	g.given("s1", "a")
	g.lost("outbox")
	due, _, err := g.s.Outbox(g.ctx, time.Second, time.Minute, 9)
	g.must(err)
	if len(due) != 1 {
		return fmt.Errorf("I6: what is placed is sent %d times", len(due))
	}
	return nil
}

func rowsAreLost(g *stage) error {
	running(g)
	g.lost("slots:a")
	if held, err := g.s.SlotsOf(g.ctx, "a"); err != nil || len(held) != 1 {
		return fmt.Errorf("I3: a holds %+v, %w", held, err)
	}
	return nil
}

// Its machine died, and all that names it but the record.
func hostIsLost(g *stage) error {
	_, v := running(g)
	g.dies(v)
	g.lost("host:a", "hosts", "hosts:lease")
	g.pass(30 * time.Second)
	if s := g.instance("s1"); s.State != stream.Pending {
		return fmt.Errorf("L1: s1 is %s on %s, which is dead", s.State, s.Host)
	}
	return nil
}

// A host that died and held nothing is shown up for ever.
func leaseIsLost(g *stage) error {
	g.open()
	g.host("a")
	g.lost("hosts:lease")
	g.pass(11 * time.Second)
	if hosts, err := g.s.Hosts(g.ctx); err != nil || len(hosts) != 1 || hosts[0].State != stream.Down {
		return fmt.Errorf("hosts %+v, %w", hosts, err)
	}
	return nil
}

// full brings s1 and s2 to life on a, whose capacity of two they fill, and has s3 wait.
func full(g *stage) store.Holder {
	g.t.Helper()
	a, _ := running(g)
	g.want("s2")
	g.runs(g.given("s2", "a"), a)
	g.want("s3")
	return a
}

// overfull asks for a third place.
func (g *stage) overfull() error {
	g.t.Helper()
	if p := g.place("s3"); p.Outcome == store.Placed {
		return fmt.Errorf("I2: a takes two and has %+v as a third", p)
	}
	return nil
}

func rowsOfAFullHostAreLost(g *stage) error {
	full(g)
	g.must(g.client.Del(g.ctx, "slots:a").Err())
	_, err := g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	return g.overfull()
}

func rowsAreLostAndItsHostRegisters(g *stage) error {
	a := full(g)
	g.must(g.client.Del(g.ctx, "slots:a").Err())
	g.must(g.register(a, "id-a", ""))
	return g.overfull()
}

// The first machine lives; the second takes its name and finds what it holds.
func secondMachineUnderALostLease(g *stage) error {
	_, v := running(g)
	g.must(g.client.Del(g.ctx, "hosts:lease", "slots:a").Err())
	second := store.Holder{Host: "a", Incarnation: "a-2"}
	if err := g.register(second, "id-other", ""); err != nil {
		return nil
	}
	g.round(true)
	return g.starts(v, second)
}

func markIsLost(g *stage) error {
	g.open()
	g.must(g.s.AddStream(g.ctx, "s1", stream.Announcement{Chain: []string{"enc"}}))
	g.lost("dirty")
	if marks, err := g.s.Dirty(g.ctx, 9); err != nil || len(marks) != 1 {
		return fmt.Errorf("I6: marks %+v, %w", marks, err)
	}
	return nil
}

func announcedIsLost(g *stage) error {
	text := stream.Announcement{Chain: []string{"enc"}}.Encode()
	p := store.Poll{Source: "src", Poller: "p", Upsert: map[string]string{"s1": text}, GoneAfter: time.Minute, Info: store.SourceInfo{Type: "t", URL: "u"}}
	r, err := g.s.Announce(g.ctx, p)
	g.must(err)
	g.must(g.client.Del(g.ctx, "announced:src").Err())
	p.Version, p.Known, p.Upsert = r.Version, 1, nil
	if r, err = g.s.Announce(g.ctx, p); err != nil || !r.Stale {
		return fmt.Errorf("the poller is not told: %+v, %w", r, err)
	}
	return nil
}

// A hand wrote the row of a slot that waits.
func falseRow(g *stage) error {
	running(g)
	g.want("s2")
	g.must(g.client.ZAdd(g.ctx, "slots:a", redis.Z{Member: "enc|s2|enc.1"}).Err())
	g.given("s2", "a")
	g.want("s3")
	return g.overfull()
}

// TestASlotInNoIndexAtAllIsFound: by its record alone, on a host that nobody knows.
func TestASlotInNoIndexAtAllIsFound(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	_, v := running(g)
	b := g.host("b")
	keys := []string{"slots:a", "hosts:lease", "hosts", "streams", "sources", "types", "types:wanted", "host:a", "service:enc:a"}
	g.must(g.client.Del(g.ctx, keys...).Err())
	g.dies(v)
	g.must(g.register(b, "id-b", ""))
	g.round(true)
	g.pass(5*time.Second, b)
	if s := g.instance("s1"); s.State != stream.Running {
		t.Fatalf("taken back after 5 s: %+v; its child may live for its lease", s)
	}
	g.pass(30*time.Second, b)
	if s := g.instance("s1"); s.State != stream.Pending {
		t.Fatalf("%+v; want it taken back", s)
	}
	if p := g.placeOn("s1", "b"); p.Outcome != store.Placed {
		t.Errorf("place: %+v", p)
	}
}

// TestAHalfRecordIsMadeWhole: what names a holder is held, anything else waits.
func TestAHalfRecordIsMadeWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tear func(g *stage) *redis.IntCmd
		want stream.State
	}{
		"no state":        {func(g *stage) *redis.IntCmd { return g.client.HDel(g.ctx, "stream:s1:enc.1", "state") }, stream.Running},
		"a state unknown": {func(g *stage) *redis.IntCmd { return g.client.HSet(g.ctx, "stream:s1:enc.1", "state", "walking") }, stream.Running},
		"no host":         {func(g *stage) *redis.IntCmd { return g.client.HDel(g.ctx, "stream:s1:enc.1", "host") }, stream.Pending},
		"no type":         {func(g *stage) *redis.IntCmd { return g.client.HDel(g.ctx, "stream:s1:enc.1", "type") }, stream.Running},
		"pending, by half a script": {func(g *stage) *redis.IntCmd {
			return g.client.HSet(g.ctx, "stream:s1:enc.1", "state", "pending", "host", "", "token", "")
		}, stream.Pending},
		"unknown to its stream": {func(g *stage) *redis.IntCmd { return g.client.HDel(g.ctx, "stream:s1", "instance:enc.1") }, stream.Running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			running(g)
			g.must(c.tear(g).Err())
			g.round(true)
			g.round(true)
			g.balanced(name)
			if s := g.instance("s1"); s.State != c.want || s.Type != "enc" {
				t.Errorf("%+v; want it %s", s, c.want)
			}
		})
	}
}
