package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// card registers a host with two types on one pool, and a third beside it.
func (g *stage) card(name string, size stream.Amount, enc, rec stream.Amounts) store.Holder {
	g.t.Helper()
	h := store.Holder{Host: name, Incarnation: name + "-1"}
	_, err := g.s.Register(g.ctx, store.Registration{Holder: h, HostID: "id-" + name, TTL: 10 * time.Second, Beat: 2 * time.Second,
		Pools: stream.Amounts{"nvenc": size, "cpu": 100_000}, PoolJobs: stream.Amounts{"nvenc": size / 2},
		Offers: []store.Offer{{Type: "enc", Uses: enc}, {Type: "rec", Uses: rec, Capacity: limit(100)}, {Type: "static"}}})
	g.must(err)
	return h
}

// three wants slots of all three types for some streams.
func (g *stage) three(n int) {
	g.t.Helper()
	for i := range n {
		want(g.t, g.s, fmt.Sprintf("s%d", i), "enc", "rec", "static")
	}
}

// typed asks for a place for a slot of a type.
func (g *stage) typed(key, kind string) store.Placement {
	g.t.Helper()
	return g.typedOn(key, kind, "")
}

func (g *stage) typedOn(key, kind, host string) store.Placement {
	g.t.Helper()
	got, err := g.s.Place(g.ctx, []store.Request{{Key: key, Instance: kind + ".1", Type: kind, Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: host}}}})
	g.must(err)
	return got[0]
}

func (g *stage) load(kind, host string) string {
	g.t.Helper()
	score, err := g.client.ZScore(g.ctx, "load:"+kind+":"+stream.Class{}.ID(), host).Result()
	if err != nil {
		return "out"
	}
	return fmt.Sprint(int(score))
}

var nvenc = func(n stream.Amount) stream.Amounts { return stream.Amounts{"nvenc": n} }

// TestTypesOnOnePoolAreBalancedTogether: over two hosts, and no further than the pools go.
func TestTypesOnOnePoolAreBalancedTogether(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.card("a", 4000, nvenc(1000), nvenc(1500))
	g.card("b", 4000, nvenc(1000), nvenc(1500))
	g.three(9)
	var got []string
	for i := range 4 {
		for _, kind := range []string{"enc", "rec"} {
			got = append(got, kind+" "+g.typed(fmt.Sprintf("s%d", i), kind).Host)
		}
	}
	// 1 more for a, to be at 4; 1.5 more for nobody.
	if want := []string{"enc a", "rec b", "enc a", "rec b", "enc a", "rec ", "enc a", "rec "}; !slices.Equal(got, want) {
		t.Fatalf("placed %q, want %q", got, want)
	}
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	for _, h := range hosts {
		if h.Taken["nvenc"] > h.Pools["nvenc"] || h.Taken["nvenc"] < 3000 {
			t.Errorf("%s: %s of %s is taken", h.Host, h.Taken, h.Pools)
		}
	}
	if p := g.typed("s8", "static"); p.Outcome != store.Placed {
		t.Errorf("a type without pools: %+v", p)
	}
}

// TestSeventeenSlotsThatCostTwentyCores: a capacity a type lets a host of 6.4 cores
// take them; the pool does not.
func TestSeventeenSlotsThatCostTwentyCores(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	n := func(slots int, cores stream.Amount) store.Offer {
		return store.Offer{Capacity: &slots, Uses: stream.Amounts{"cpu": cores}}
	}
	kinds, offers := []string{"room", "web", "participant", "track"}, []store.Offer{n(1, 4000), n(1, 4000), n(3, 2000), n(12, 500)}
	for i := range offers {
		offers[i].Type = kinds[i]
	}
	_, err := g.s.Register(g.ctx, store.Registration{Holder: store.Holder{Host: "a", Incarnation: "a-1"}, HostID: "id-a", TTL: 10 * time.Second, Beat: 2 * time.Second,
		Pools: stream.Amounts{"cpu": 6400}, Offers: offers})
	g.must(err)
	taken, placed := stream.Amount(0), 0
	for i := range 12 {
		key := fmt.Sprintf("e%d", i)
		want(t, g.s, key, kinds...)
		for k, kind := range kinds {
			if g.typed(key, kind).Outcome == store.Placed {
				placed++
				taken += offers[k].Uses["cpu"]
			}
		}
	}
	if taken > 6400 || taken <= 6400-500 {
		t.Fatalf("%d slots cost %s cores of 6.4", placed, taken)
	}
}

// TestOnlyWhoSharesAPoolIsIndexedAnew, at each way a slot comes and goes.
func TestOnlyWhoSharesAPoolIsIndexedAnew(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.card("a", 4000, nvenc(1000), stream.Amounts{"nvenc": 2000, "cpu": 1000})
	loads := func() string { return g.load("enc", "a") + " " + g.load("rec", "a") + " " + g.load("static", "a") }
	expect := func(what, want string) {
		t.Helper()
		if got := loads(); got != want {
			t.Errorf("%s: loads %s, want %s", what, got, want)
		}
	}
	expect("registered", "250000 500000 0")
	g.three(3)
	enc := g.typed("s0", "enc").Reservation
	expect("enc placed", "500000 750000 0")
	g.typed("s0", "static")
	expect("static placed", "500000 750000 1")
	g.runs(enc, a)
	rec := g.typed("s0", "rec").Reservation
	expect("rec placed", "1000000 1250000 1")
	g.must(g.s.Claim(g.ctx, rec, a.Incarnation))
	g.dies(enc)
	g.release(enc, a)
	expect("enc released", "750000 1000000 1")
	if p := g.typed("s1", "rec"); p.Outcome != store.Placed {
		t.Errorf("what fits exactly: %+v", p)
	}
	expect("full", "1250000 1500000 1")
	if _, err := g.s.Assert(g.ctx, store.Reservation{Key: "s2", Instance: "enc.1", Type: "enc", Host: "a", Token: "1-x"}, a.Incarnation, store.Copy{Chain: []string{"enc"}}); err != nil {
		t.Error(err)
	}
	expect("over-filled by what runs", "1500000 1750000 1")
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	if got := hosts[0].Taken.String(); got != "cpu 2, nvenc 5" {
		t.Errorf("taken: %s", got)
	}
}

// TestPoolsSaidByHand: what people write into the hashes counts at once in place, and in
// the load sets after a re-index; nonsense has a reason, and takes nothing.
func TestPoolsSaidByHand(t *testing.T) {
	t.Parallel()
	type edit struct{ key, field, value string }
	tests := []struct {
		name  string
		edit  edit
		full  bool // enc has no room then
		loads string
		why   string // of enc
	}{
		{"more", edit{"host:a", "pools", `{ "nvenc" : 8000 }`}, false, "375000 out", ""},
		{"less", edit{"host:a", "pools", `{"nvenc":2000,"cpu":5000}`}, true, "1500000 2000000", ""},
		{"too small for one", edit{"host:a", "pools", `{"nvenc":900,"cpu":5000}`}, true, "out out", "needs 1 of nvenc, of which its host has 0.9"},
		{"no pool", edit{"host:a", "pools", ""}, true, "out out", "needs 1 of nvenc, of which its host has 0"},
		{"nonsense", edit{"host:a", "pools", "many"}, true, "out out", `pools of its host is "many", which is no JSON object of whole thousandths by pool`},
		{"uses less", edit{"service:enc:a", "uses", `{"nvenc":500}`}, false, "375000 750000", ""},
		{"uses more", edit{"service:enc:a", "uses", `{"nvenc":2500}`}, true, "1875000 1750000", ""},
		{"uses nothing", edit{"service:enc:a", "uses", ""}, false, "2 500000", ""},
		{"uses what is not there", edit{"service:enc:a", "uses", `{"gpu":1}`}, true, "out 500000", "needs 0.001 of gpu, of which its host has 0"},
		{"uses nonsense", edit{"service:enc:a", "uses", `{"nvenc":1.5}`}, true, "out out", `uses of enc is "{\"nvenc\":1.5}", which is no JSON object of whole thousandths by pool`},
		{"another uses nonsense", edit{"service:rec:a", "uses", "[]"}, true, "out out", `uses of rec is "[]", which is no JSON object of whole thousandths by pool`},
		{"used", edit{"service:enc:a", "used", "0"}, false, "750000 1000000", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			g.card("a", 4000, nvenc(1000), stream.Amounts{"nvenc": 2000, "cpu": 1000})
			g.three(4)
			g.typed("s0", "enc")
			g.typed("s1", "enc")
			if test.edit.value == "" {
				g.must(g.client.HDel(g.ctx, test.edit.key, test.edit.field).Err())
			} else {
				g.must(g.client.HSet(g.ctx, test.edit.key, test.edit.field, test.edit.value).Err())
			}
			hosts, err := g.s.Hosts(g.ctx)
			g.must(err)
			if why := hosts[0].Services[0].Reason.String(); why != test.why {
				t.Errorf("at once: %q, want %q", why, test.why)
			}
			for range 2 {
				g.round(true)
			}
			if got := g.load("enc", "a") + " " + g.load("rec", "a"); got != test.loads {
				t.Errorf("loads after a re-index: %s, want %s", got, test.loads)
			}
			if p := g.typed("s2", "enc"); (p.Outcome == store.Full) != test.full {
				t.Errorf("place: %+v", p)
			}
			told := 0
			events, err := g.client.XRange(g.ctx, "events", "-", "+").Result()
			g.must(err)
			for _, e := range events {
				if e.Values["event"] == "nonsense" {
					told++
				}
			}
			if odd := strings.Contains(test.loads, "out"); told > 2 || (told > 0) != odd {
				t.Errorf("told %d times", told)
			}
			if p := g.typed("s2", "static"); p.Outcome != store.Placed {
				t.Errorf("a type without pools: %+v", p)
			}
		})
	}
}

// TestScriptsReadAmountsAsGoDoes: what one takes for nonsense the other does, too.
func TestScriptsReadAmountsAsGoDoes(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.card("a", 4000, nil, nil)
	for _, text := range []string{"{}", " { } ", `{"cpu":1500}`, "{ \"cpu\" : 1500 ,\n\"nvenc\":0}", "{\v\"cpu\"\f:\t1\r}", `{"cpu":1,}`, `{,"cpu":1}`, "1", "[]", "null", `{"cpu":1.5}`,
		`{"cpu":-1}`, `{"cpu":01}`, `{"cpu":100000000000}`, `{"cpu":99999999999}`, `{"cpu":1}{}`, `{"cpu":1,"cpu":2}`, `{"Cpu":1}`, `{"":1}`, `{cpu:1}`, `{"cpu":"1"}`, `{"cpu":{}}`, "{", "cpu=1", "{\x00}", "{\u00a0}"} {
		g.must(g.client.HSet(g.ctx, "service:enc:a", "uses", text).Err())
		_, err := g.s.Reindex(g.ctx, "a", nil)
		g.must(err)
		said := strings.HasPrefix(g.client.HGet(g.ctx, "service:enc:a", "reason").Val(), "bad-uses")
		if _, err := stream.DecodeAmounts(text); said != (err != nil) {
			t.Errorf("%q: a script calls it nonsense: %v; Go: %v", text, said, err)
		}
	}
}

// TestTheFileDoesNotUndoAHand: until it says something else than before.
func TestTheFileDoesNotUndoAHand(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	uses := func() string {
		return g.client.HGet(g.ctx, "host:a", "pools").Val() + " " + g.client.HGet(g.ctx, "host:a", "pool_jobs").Val() + " " + g.client.HGet(g.ctx, "service:enc:a", "uses").Val()
	}
	g.card("a", 4000, nvenc(1000), nil)
	if got, want := uses(), `{"cpu":100000,"nvenc":4000} {"nvenc":2000} {"nvenc":1000}`; got != want {
		t.Errorf("registered: %s, want %s", got, want)
	}
	g.must(g.client.HSet(g.ctx, "host:a", "pools", `{"nvenc":1}`).Err())
	g.must(g.client.HSet(g.ctx, "service:enc:a", "uses", `{"nvenc":1}`).Err())
	g.card("a", 4000, nvenc(1000), nil)
	if got, want := uses(), `{"nvenc":1} {"nvenc":2000} {"nvenc":1}`; got != want {
		t.Errorf("the same file: %s, want %s", got, want)
	}
	g.card("a", 6000, nil, nil)
	if got, want := uses(), `{"cpu":100000,"nvenc":6000} {"nvenc":3000} `; got != want {
		t.Errorf("another file: %s, want %s", got, want)
	}
}

// TestRoomOfAPoolIsToldToAllWhoShareIt: a slot given back wakes the other type.
func TestRoomOfAPoolIsToldToAllWhoShareIt(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.card("a", 1000, nvenc(1000), nvenc(1000))
	g.three(1)
	v := g.typed("s0", "enc").Reservation
	g.runs(v, a)
	ctx, cancel := context.WithTimeout(g.ctx, time.Minute)
	defer cancel()
	wakes := g.client.Subscribe(ctx, "wake")
	defer wakes.Close()
	if _, err := wakes.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	g.dies(v)
	g.release(v, a)
	seen := map[string]bool{}
	for !seen["room enc"] || !seen["room rec"] {
		m, err := wakes.ReceiveMessage(ctx)
		if err != nil {
			t.Fatalf("only %v is told: %v", seen, err)
		}
		seen[m.Payload] = true
	}
	if seen["room static"] {
		t.Error("who shares no pool is told of its room")
	}
}

// TestGivingUpKnowsPools: it stays where it fails if the other host's pool is full.
func TestGivingUpKnowsPools(t *testing.T) {
	t.Parallel()
	for _, room := range []stream.Amount{1000, 1999, 2000} {
		g := newStage(t).open()
		a := g.card("a", 1000, nvenc(1000), nvenc(1000))
		g.card("b", room, nvenc(1000), nvenc(1000))
		g.three(2)
		v := g.typedOn("s0", "enc", "a").Reservation
		g.runs(v, a)
		g.typedOn("s0", "rec", "b")
		got, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeFailed, "exit", "1", "times", "5"), Avoid: time.Minute,
			OnlyIfRoom: true, Classes: []string{stream.Class{}.ID()}})
		g.must(err)
		if stays := got == store.Stays; stays != (room < 2000) {
			t.Errorf("a pool of %s, of which 1 is taken: stays %v", room, stays)
		}
	}
}

// The pool was lowered by a hand after its services were indexed.
func poolLoweredByHand(g *stage) error {
	g.open()
	g.card("a", 4000, nvenc(1000), nvenc(1000))
	g.three(2)
	g.typed("s0", "enc")
	g.must(g.client.HSet(g.ctx, "host:a", "pools", `{"nvenc":1500}`).Err())
	return g.full("s1", "enc")
}

// lastOfThree is a pool of 3 of which enc holds 2, and there is room for one.
func lastOfThree(g *stage) {
	g.t.Helper()
	g.open()
	g.card("a", 3000, nvenc(1000), nvenc(1000))
	g.three(3)
	g.typed("s0", "enc")
	g.typed("s1", "enc")
}

// oneAtMost places two slots of rec where there is room for one.
func (g *stage) oneAtMost() error {
	g.t.Helper()
	if g.typed("s0", "rec").Outcome == store.Placed && g.typed("s1", "rec").Outcome == store.Placed {
		return errors.New("I2: 4 of 3 are taken")
	}
	return nil
}

// A hand set used to nothing.
func usedOfAPoolIsLost(g *stage) error {
	lastOfThree(g)
	g.must(g.client.HSet(g.ctx, "service:enc:a", "used", "0").Err())
	return g.oneAtMost()
}

// A hand took the rows of what the host holds.
func rowsOfAPoolAreLost(g *stage) error {
	lastOfThree(g)
	g.must(g.client.Del(g.ctx, "slots:a").Err())
	return g.oneAtMost()
}

// A hand left nonsense in what another type uses.
func usesOfAPoolAreLost(g *stage) error {
	lastOfThree(g)
	g.must(g.client.HSet(g.ctx, "service:enc:a", "uses", "1").Err())
	return g.oneAtMost()
}

// A hand deleted the service of another type.
func serviceOfAPoolIsLost(g *stage) error {
	lastOfThree(g)
	g.must(g.client.Del(g.ctx, "service:enc:a").Err())
	return g.oneAtMost()
}

// The loads of the types that share a pool follow what any of them takes.
func loadsOfAPool(g *stage) error {
	g.open()
	g.card("a", 4000, nvenc(1000), nvenc(1000))
	g.three(1)
	g.typed("s0", "enc")
	if got := g.load("rec", "a"); got != "500000" {
		return fmt.Errorf("I4: rec has the load %s, want 500000", got)
	}
	return nil
}

func (g *stage) full(key, kind string) error {
	g.t.Helper()
	if p := g.typed(key, kind); p.Outcome == store.Placed {
		return fmt.Errorf("I2: %s was placed on a full pool", kind)
	}
	return nil
}

var poolGuards = []guard{
	{"place looks at the pools again", []cut{{"place", "return capacity and math.max(own, shared) or shared", "return own"}}, poolLoweredByHand},
	{"what is taken of a pool follows from the rows", []cut{{"place", "math.max(whole(v[2]) or 0, held)", "(whole(v[2]) or 0)"}}, usedOfAPoolIsLost},
	{"rows of a pool may be lost", []cut{{"place", "math.max(whole(v[2]) or 0, held)", "held"}}, rowsOfAPoolAreLost},
	{"what cannot be read takes all", []cut{{"place", "if v[6] and not v.uses or held", "if held"}}, usesOfAPoolAreLost},
	{"what is not there takes all", []cut{{"place", "or held + along > 0 and not v[3] then", "then"}}, serviceOfAPoolIsLost},
	{"a taken pool is the load of all", []cut{{"place", "  share(host, view, seen.uses)\n", "  enter(stype, host, seen, view)\n"}}, loadsOfAPool},
}
