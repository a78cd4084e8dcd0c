package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

func redisMember(name string) redis.Z { return redis.Z{Score: 1, Member: name} }

// offer registers a host with one service of the type enc.
func (g *stage) offer(name string, capacity *int, class stream.Class) store.Holder {
	g.t.Helper()
	h := store.Holder{Host: name, Incarnation: name + "-1"}
	_, err := g.s.Register(g.ctx, store.Registration{Holder: h, HostID: "id-" + name, TTL: 10 * time.Second, Beat: 2 * time.Second,
		Offers: []store.Offer{{Type: "enc", Capacity: capacity, Class: class}}})
	g.must(err)
	return h
}

func (g *stage) ask(key, only string, candidates ...store.Candidate) string {
	g.t.Helper()
	candidates = slices.Clone(candidates)
	for i := range candidates {
		candidates[i].Host = only
	}
	got, err := g.s.Place(g.ctx, []store.Request{{Key: key, Instance: "enc.1", Type: "enc", Candidates: candidates}})
	g.must(err)
	return got[0].Host
}

func neutral(c stream.Class) store.Candidate {
	return store.Candidate{Rank: 1, Class: c.ID()}
}

// TestPlaceTakesTheLeastLoaded by its share of the capacity, then by name; and
// nothing above the capacity.
func TestPlaceTakesTheLeastLoaded(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.offer("small", limit(2), stream.Class{})
	g.offer("large", limit(4), stream.Class{})
	var order []string
	for i := range 7 {
		key := fmt.Sprintf("s%d", i)
		g.want(key)
		order = append(order, g.ask(key, "", neutral(stream.Class{})))
	}
	want := []string{"large", "large", "small", "large", "large", "small", ""}
	if !slices.Equal(order, want) {
		t.Fatalf("placed on %v, want %v", order, want)
	}
}

func TestPlaceWithoutACapacityAlwaysHasRoom(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.offer("a", nil, stream.Class{})
	g.offer("b", nil, stream.Class{})
	for i := range 20 {
		key := fmt.Sprintf("s%d", i)
		g.want(key)
		if host, want := g.ask(key, "", neutral(stream.Class{})), []string{"a", "b"}[i%2]; host != want {
			t.Fatalf("%s went to %q, want %s: fewest first", key, host, want)
		}
	}
}

// TestPlaceGoesThroughTheTiers: a fuller host of a better tier comes first.
func TestPlaceGoesThroughTheTiers(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	prefers, other := stream.Class{Prefer: "^s"}, stream.Class{Prefer: "^q"}
	g.offer("neutral", limit(9), stream.Class{})
	g.offer("wanted", limit(1), prefers)
	g.offer("last", limit(9), other)
	candidates := []store.Candidate{{Rank: 0, Class: prefers.ID()}, {Rank: 1, Class: stream.Class{}.ID()}, {Rank: 2, Class: other.ID()}}
	for i, want := range []string{"wanted", "neutral", "neutral"} {
		key := fmt.Sprintf("s%d", i)
		g.want(key)
		if host := g.ask(key, "", candidates...); host != want {
			t.Fatalf("%s went to %q, want %s", key, host, want)
		}
	}
	g.must(g.s.Cordon(g.ctx, "neutral", stream.Cordoned))
	g.want("s9")
	if host := g.ask("s9", "", candidates...); host != "last" {
		t.Fatalf("s9 went to %q, want last: nothing better has room", host)
	}
}

func TestPlaceKeepsOffHostsToBeAvoidedAndToThePinned(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	_, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5"), Avoid: time.Second})
	g.must(err)
	if host := g.ask("s1", "a", neutral(stream.Class{})); host != "" {
		t.Fatal("placed on a host that is to be avoided, as it was asked for by name")
	}
	if host := g.ask("s1", "", neutral(stream.Class{})); host != "b" {
		t.Fatalf("placed on %q, want b", host)
	}
	g.want("s2")
	if host := g.ask("s2", "a", neutral(stream.Class{})); host != "a" {
		t.Fatalf("pinned to a and placed on %q", host)
	}
	g.want("s3")
	g.must(g.s.Unassign(g.ctx, g.instance("s2").Reservation, time.Second, stream.Because(stream.CodeUnclaimed)))
	g.c.advance(1100 * time.Millisecond)
	if host := g.ask("s2", "a", neutral(stream.Class{})); host != "a" {
		t.Fatalf("the avoidance is over, and a is still avoided: %q", host)
	}
}

// TestPlaceBelievesTheServiceAndNotItsIndex: edits by hand between two
// reindexes.
func TestPlaceBelievesTheServiceAndNotItsIndex(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][]any{
		"capacity": {"capacity", "0"}, "used": {"used", "2"}, "state": {"state", "cordoned"}, "class": {"class", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			g.host("a")
			g.host("b")
			g.want("s1")
			g.must(g.client.HSet(g.ctx, "service:enc:a", edit...).Err())
			if p := g.place("s1"); p.Host != "b" {
				t.Fatalf("placed on %q, want b", p.Host)
			}
		})
	}
	t.Run("lease", func(t *testing.T) {
		t.Parallel()
		g := newStage(t).open()
		g.host("a")
		b := g.host("b")
		g.want("s1")
		g.pass(9500*time.Millisecond, b)
		g.c.advance(time.Second) // a lapsed, and no tick has seen it
		if p := g.place("s1"); p.Host != "b" {
			t.Fatalf("placed on %q, want b: the lease of a is over", p.Host)
		}
	})
}

// TestACapacityRaisedByHandIsUsedAfterAReindex and wins until the host's own
// file says another number.
func TestACapacityRaisedByHandIsUsedAfterAReindex(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.offer("a", limit(1), stream.Class{})
	for _, key := range []string{"s1", "s2", "s3"} {
		g.want(key)
	}
	g.given("s1", "a")
	if p := g.place("s2"); p.Outcome != store.Full {
		t.Fatalf("place: %+v", p)
	}
	g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "2").Err())
	_, err := g.s.Reindex(g.ctx, "a", nil)
	g.must(err)
	g.given("s2", "a")
	g.offer("a", limit(1), stream.Class{}) // the same file again
	if c := g.client.HGet(g.ctx, "service:enc:a", "capacity").Val(); c != "2" {
		t.Fatalf("capacity %q after registering with the same file, want 2", c)
	}
	g.offer("a", limit(3), stream.Class{})
	if c := g.client.HGet(g.ctx, "service:enc:a", "capacity").Val(); c != "3" {
		t.Fatalf("capacity %q after registering with another file, want 3", c)
	}
	g.given("s3", "a")
}

// TestPendingIsServedByPriorityThenAge: the line of any set of streams, wanted
// at any times, some of them on air before.
func TestPendingIsServedByPriorityThenAge(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	rng := rand.New(rand.NewPCG(1, 2))
	type wanted struct {
		key      string
		priority int
		born     int
	}
	var all []wanted
	for i := range 60 {
		v := wanted{fmt.Sprintf("s%d", rng.IntN(1_000_000)), []int{0, 1, 5, 899, rng.IntN(900)}[rng.IntN(5)], i}
		g.c.advance(time.Duration(1+rng.IntN(5000)) * time.Millisecond)
		a := stream.Announcement{Chain: []string{"enc"}, Priority: v.priority}
		g.must(g.s.AddStream(g.ctx, v.key, a))
		marks, err := g.s.Dirty(g.ctx, 1)
		g.must(err)
		_, err = g.s.Want(g.ctx, store.Want{Mark: marks[0], Wanted: true, Chain: a.Chain, Priority: v.priority, Fields: map[string]string{"source": "manual"}})
		g.must(err)
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b wanted) int { return b.priority - a.priority }) // stable: then age
	g.line(all[0].key, len(all), func(i int) string { return all[i].key })

	// One that was on air goes back to its old place in line.
	g.memory = store.ReapMemory{}
	g.tick()
	g.pass(16 * time.Second)
	a := g.host("a")
	v := g.given(all[20].key, "a")
	g.runs(v, a)
	g.c.advance(time.Second)
	g.release(v, a)
	g.line("again", len(all), func(i int) string { return all[i].key })
}

func (g *stage) line(what string, n int, key func(int) string) {
	g.t.Helper()
	line, err := g.s.Pending(g.ctx, "enc", 0, 1000)
	g.must(err)
	if len(line) != n {
		g.t.Fatalf("%s: %d in line, want %d", what, len(line), n)
	}
	for i, v := range line {
		if v.Key != key(i) {
			g.t.Fatalf("%s: place %d in line has %s, want %s", what, i, v.Key, key(i))
		}
	}
}

// TestPlaceDoesNotGrowWithTheHosts counts the server's own time for each call;
// the bound is wide, as other work on the machine counts too.
func TestPlaceDoesNotGrowWithTheHosts(t *testing.T) {
	t.Parallel()
	cost := func(hosts int) float64 {
		g := newStage(t).open()
		for i := range hosts {
			g.offer(fmt.Sprintf("h%d", i), limit(100), stream.Class{})
		}
		for i := range 200 {
			g.want(fmt.Sprintf("s%d", i))
		}
		best := 1e9
		for round := range 4 {
			g.must(g.client.ConfigResetStat(g.ctx).Err())
			for i := range 50 {
				if p := g.place(fmt.Sprintf("s%d", round*50+i)); p.Outcome != store.Placed {
					t.Fatalf("place: %+v", p)
				}
			}
			best = min(best, commandTime(g))
		}
		return best
	}
	few, many := cost(10), cost(1000)
	t.Logf("%.1f µs at 10 hosts, %.1f µs at 1,000", few, many)
	if many > 2.5*few {
		t.Errorf("place takes %.1f µs at 10 hosts and %.1f µs at 1,000", few, many)
	}
}

func commandTime(g *stage) float64 {
	g.t.Helper()
	info, err := g.client.InfoMap(g.ctx, "commandstats").Result()
	g.must(err)
	var calls, usec, per float64
	if _, err := fmt.Sscanf(info["Commandstats"]["cmdstat_evalsha"], "calls=%f,usec=%f,usec_per_call=%f", &calls, &usec, &per); err != nil {
		g.t.Fatalf("commandstats: %v in %v", err, info["Commandstats"]["cmdstat_evalsha"])
	}
	return per
}

// TestARefusalTellsWhoWasPassedOver: a refusal proves that those asked have no room, save
// those that were passed over for the slot's own sake.
func TestARefusalTellsWhoWasPassedOver(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	class, other := stream.Class{}, stream.Class{Prefer: "^s"}
	g.offer("a", limit(1), class)
	g.offer("b", limit(1), class)
	g.offer("c", limit(1), other)
	g.want("s1")
	g.want("s2")
	ask := func(key string, candidates ...store.Candidate) string {
		t.Helper()
		got, err := g.s.Place(g.ctx, []store.Request{{Key: key, Instance: "enc.1", Type: "enc", Candidates: candidates, Closed: []string{"c"}}})
		g.must(err)
		return fmt.Sprint(got[0].Host, got[0].Passed)
	}
	g.must(g.client.HSet(g.ctx, "stream:s2:enc.1", "avoid", "a=9999999999999").Err())
	each, named := store.Candidate{Rank: 1, Class: class.ID()}, store.Candidate{Class: class.ID(), Host: "a"}
	if got, want := ask("s2", store.Candidate{Class: other.ID(), Host: "a"}, store.Candidate{Rank: 1, Class: other.ID()}), fmt.Sprint([]store.Passed{{other.ID(), "a"}}); got != want {
		t.Errorf("a as one of another class, and one that is closed: %s, want %s", got, want)
	}
	if got := ask("s1", store.Candidate{Class: class.ID(), Host: "b"}, each); got != "b[]" {
		t.Errorf("the host of the first rank has room, and it went to %s", got)
	}
	if got, want := ask("s2", each), fmt.Sprint([]store.Passed{{class.ID(), "a"}}); got != want {
		t.Errorf("a avoids it and b is full: %s, want %s", got, want)
	}
	if got, want := ask("s2", named), fmt.Sprint([]store.Passed{{class.ID(), "a"}}); got != want {
		t.Errorf("the one that is named avoids it: %s, want %s", got, want)
	}
	g.must(g.client.HDel(g.ctx, "stream:s2:enc.1", "avoid").Err())
	if got := ask("s2", store.Candidate{Class: class.ID(), Host: "b"}); got != "[]" {
		t.Errorf("the one that is named is full: %s", got)
	}
	if got := ask("s2", store.Candidate{Class: class.ID(), Host: "b"}, named); got != "a[]" {
		t.Errorf("one of two that are named has room, and it went to %s", got)
	}
}
