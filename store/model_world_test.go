package store_test

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

// flaws takes guards out of the simulated runners; the zero value is the
// protocol as it must be.
type flaws struct {
	undying   bool  // supervisors do not end their trees at the deadline
	overtrust int64 // the lease is trusted for longer
	noTombs   bool  // tombstones are not kept
	resurrect bool  // tombstones are not looked at
	hasty     bool  // releases before the tree is gone
	anyClaim  bool  // a claim counts in another registration than it was asked in
	disobey   bool  // assert's word to end is ignored
	mute      bool  // ends are not told again
}

// world is everything there is.
type world struct {
	ctx    context.Context
	client redis.UniversalClient
	store  *store.Store
	rng    *rand.Rand
	flaws  flaws
	faults map[string]bool // that are off

	now, seq int64
	agenda   agenda
	actors   []*actor

	// The server.
	skew    int64 // of its clock
	lives   int   // of its process: the run id
	down    bool
	uptime  int64 // how long it was in reach of schedulers
	backup  map[string]string
	clockAt int64 // what test:clock says

	machines   []*machine
	schedulers []*scheduler
	pollers    []*poller
	guard      *scheduler // remembers the store while it is emptied
	live       map[string]bool
	plan       map[string]stream.Announcement

	calm bool
	// backupTorn: the backup was taken of torn indexes.
	backupTorn bool
	also       func() // happens at each fault, too
	torn       bool   // a hand took rows of indexes away, and no two rounds over all records have ended since
	tears      int
	noMend     bool // schedulers do not look for what is lost
	words      bool // operators put copies beside others that these are apart from
	jobs       bool // ends have jobs after them
	lets       bool // what waits to be near another closes nothing
	gens       int
	ops        int
	tokens     map[string]string
	handovers  map[[2]string]bool // tokens of two instances of a slot that the store had at once
	over       map[string]int     // used of each service and pool after the last step
	pairs      map[string]int     // copies that are apart and share a host, of each slot after the last step
	trace      []string
	seen       map[string]int // outcomes of steps, counted
	err        error
}

func newWorld(ctx context.Context, client redis.UniversalClient, seed uint64) (*world, error) {
	w := &world{
		ctx: ctx, client: client, rng: rand.New(rand.NewPCG(seed, 7)), faults: map[string]bool{}, now: 1000 * second, skew: 1_800_000_000 * second,
		lives: 1, live: map[string]bool{}, tokens: map[string]string{}, over: map[string]int{}, pairs: map[string]int{}, handovers: map[[2]string]bool{}, seen: map[string]int{},
		plan: map[string]stream.Announcement{
			"s1": {Chain: []string{"enc", "rec"}, Priority: 5}, "s2": {Chain: []string{"enc"}},
			"s3/x": {Chain: []string{"cut", "enc"}, Items: stream.Items{"cut": {Type: "rec"}}}, "t1": {Chain: []string{"enc", "rec"}, Priority: 9}, "t2": {Chain: []string{"rec"}},
			"p1":   {Chain: []string{"enc"}, Items: stream.Items{"enc": {Copies: 2, Apart: stream.ApartHost}}},
			"t3":   {Chain: []string{"enc", "side"}, Items: stream.Items{"side": {Type: "rec", With: "enc"}}},
			"s1/w": {Chain: []string{"enc", "side"}, Items: stream.Items{"enc": {Copies: 2, Apart: stream.ApartHost}, "side": {Type: "rec", With: "enc", Copies: 2}}},
			"s3/p": {Chain: []string{"rec"}, Items: stream.Items{"rec": {Copies: 3, Apart: stream.ApartHost}}},
		},
	}
	var err error
	w.store, err = store.New(client, store.Options{Actor: "model", Clock: lua.Test, TTL: 10 * time.Second, Beat: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	if err := client.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	if err := client.ScriptFlush(ctx).Err(); err != nil {
		return nil, err
	}
	n := func(n int) *int { return &n }
	for i, name := range hostNames {
		m := &machine{
			w: w, name: name, id: name, keep: i%2 == 0, ttl: 10 * second, beat: 2 * second,
			offers: []store.Offer{{Type: "enc", Capacity: n(1 + i%3)}, {Type: "rec", Capacity: n(2), Class: someClass}},
			tombs:  map[string]bool{}, sups: map[string]*supervisor{},
		}
		if i%2 == 1 {
			m.offers[1].Handover = stream.StartFirst
		}
		switch name {
		case "b":
			m.ttl, m.beat = 5*second, second
			m.offers[1].Class = anyClass
		case "d":
			m.offers[1] = store.Offer{Type: "rec", Handover: stream.StartFirst} // no limit
		}
		m.shares()
		w.machines = append(w.machines, m)
		w.at(w.now+w.rng.Int64N(5*second), m.boot)
	}
	rival := &machine{ // another machine under the name of c
		w: w, name: "c", id: "c-rival", ttl: 10 * second, beat: 2 * second,
		offers: w.machines[2].offers, tombs: map[string]bool{}, sups: map[string]*supervisor{},
	}
	rival.shares()
	w.machines = append(w.machines, rival)
	for i := range 3 {
		s := &scheduler{w: w, name: fmt.Sprintf("sched%d", i)}
		w.schedulers = append(w.schedulers, s)
		s.boot()
	}
	for i := range 2 {
		p := &poller{w: w, name: fmt.Sprintf("poller%d", i)}
		w.pollers = append(w.pollers, p)
		w.spawn(p.name, func() bool { return w.down || p.cut }, p.run)
	}
	return w, nil
}

// close ends every coroutine.
func (w *world) close() {
	for _, a := range w.actors {
		if !a.dead {
			a.kill()
		}
	}
}

// run lets the world go on for n steps at the store.
func (w *world) run(n int) {
	for limit := w.ops + n; w.ops < limit && w.err == nil; {
		w.turn()
	}
}

// turn runs the next event.
func (w *world) turn() {
	e := heap.Pop(&w.agenda).(event)
	w.pass(e.at)
	e.run()
	if w.err == nil {
		w.checkChildren()
	}
	if len(w.actors) > 200 { // forget the dead
		kept := w.actors[:0]
		for _, a := range w.actors {
			if !a.dead {
				kept = append(kept, a)
			}
		}
		w.actors = kept
	}
}

// pass lets time go by.
func (w *world) pass(now int64) {
	reachable := !w.down
	if reachable {
		reachable = false
		for _, s := range w.schedulers {
			reachable = reachable || !s.cut
		}
	}
	if reachable {
		w.uptime += now - w.now
	}
	w.now = now
	for _, m := range w.machines {
		m.pass(now)
	}
}

func (w *world) nextGen() int { w.gens++; return w.gens }

func (w *world) note(format string, args ...any) {
	if len(w.trace) >= 400 {
		w.trace = append(w.trace[:0], w.trace[200:]...)
	}
	w.trace = append(w.trace, fmt.Sprintf("%8d %10.3f ", w.ops, float64(w.now)/1e6)+fmt.Sprintf(format, args...))
}

func (w *world) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// setClock puts the server's clock where it should be.
func (w *world) setClock() error {
	if w.clockAt == w.now+w.skew {
		return nil
	}
	w.clockAt = w.now + w.skew
	return w.client.MSet(w.ctx, "test:clock", strconv.FormatInt(w.clockAt, 10), "test:run_id", "life"+strconv.Itoa(w.lives)).Err()
}

// issued notes a token that place gave out: I7.
func (w *world) issued(v store.Reservation) {
	if other, ok := w.tokens[v.Token]; ok {
		w.fail(fmt.Errorf("I7: token %s was issued for %s and again for %s/%s on %s", v.Token, other, v.Key, v.Instance, v.Host))
	}
	w.tokens[v.Token] = v.Key + "/" + v.Instance + " on " + v.Host
}
