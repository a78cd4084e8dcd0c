package runners_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/queue"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// world is one Redis, and a scheduler of the plainest kind.
type world struct {
	t      *testing.T
	redis  *realtest.RedisServer
	client redis.UniversalClient
	store  *store.Store
	queue  *queue.Client

	mu     sync.Mutex
	silent bool // the scheduler sends no commands
	starts int  // start commands that are in their queues
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, redis: realtest.Redis(t)}
	w.client, w.store, w.queue = w.dial(t, "scheduler")
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.schedule(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	realtest.Await(t, time.Minute, "the first hold does not end", func() bool { return !w.held() })
	return w
}

// dial opens a client of its own.
func (w *world) dial(t *testing.T, actor string) (redis.UniversalClient, *store.Store, *queue.Client) {
	t.Helper()
	client, s, q, err := dialRedis(w.redis.Addr, actor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, s, q
}

func dialRedis(url, actor string) (redis.UniversalClient, *store.Store, *queue.Client, error) {
	client := store.Dial(store.Target{Network: "unix", Addrs: []string{url}}, store.DialTimeout(beat))
	s, err := store.New(client, store.Options{Actor: actor, TTL: ttl, Beat: beat})
	if err != nil {
		return nil, nil, nil, err
	}
	q, err := queue.NewClient(client, "")
	return client, s, q, err
}

func (w *world) held() bool {
	status, err := w.store.Status(context.Background())
	return err != nil || status.Hold != nil
}

// schedule does what schedulers do, over and over. Errors are outages.
func (w *world) schedule(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var memory store.ReapMemory
	var replied time.Time
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n%5 == 0 {
			m := memory
			if m.Expected != 0 {
				m.Expected += time.Since(replied).Milliseconds()
			}
			if r, err := w.store.Reap(ctx, m); err == nil {
				memory, replied = store.ReapMemory{Expected: r.Now, Epoch: r.Epoch, TTL: ttl, Beat: beat}, time.Now()
			}
		}
		w.want(ctx)
		w.place(ctx)
		w.send(ctx)
	}
}

func (w *world) want(ctx context.Context) {
	marks, err := w.store.Dirty(ctx, 100)
	if err != nil {
		return
	}
	for _, m := range marks {
		declared, err := w.store.Declared(ctx, m.Key)
		if err != nil {
			continue
		}
		want := store.Want{Mark: m, Fields: map[string]string{}}
		for name, by := range declared.BySource {
			want.Wanted, want.Chain, want.Items, want.Priority = true, by.Chain, by.Items, by.Priority
			want.Fields["source"] = name
			for k, v := range by.Source {
				want.Fields["source:"+k] = v
			}
			for k, v := range by.Vars {
				want.Fields[k] = v
			}
			if by.MissingSince != 0 {
				want.Fields["sys:away"] = "1"
			}
		}
		cmds, err := w.store.Want(ctx, want)
		if err != nil {
			continue
		}
		w.command(ctx, queue.Stop, cmds.Stops)
		w.command(ctx, queue.Update, cmds.Updates)
	}
}

func (w *world) place(ctx context.Context) {
	types, err := w.store.Types(ctx)
	if err != nil {
		return
	}
	for _, t := range types {
		waiting, err := w.store.Pending(ctx, t, 0, 100)
		jobs, jobsErr := w.store.PendingJobs(ctx, t, 0, 100)
		waiting = append(waiting, jobs...)
		if err != nil || jobsErr != nil || len(waiting) == 0 {
			continue
		}
		classes, err := w.store.Classes(ctx, t)
		if err != nil {
			continue
		}
		for _, p := range waiting {
			var candidates []store.Candidate
			for id, class := range classes {
				rule, err := class.Compile()
				if err != nil || !w.published(ctx, p.Key, rule.Needs()) {
					continue
				}
				if tier, ok := rule.Admits(p.Key); ok {
					candidates = append(candidates, store.Candidate{Rank: int(tier), Class: id})
				}
			}
			for some := range slices.Chunk(candidates, store.MaxClasses) {
				_, _ = w.store.Place(ctx, []store.Request{{Key: p.Key, Instance: p.Instance, Type: p.Type, Candidates: some, Weighed: types}})
			}
		}
	}
}

func (w *world) published(ctx context.Context, key string, needs []stream.Need) bool {
	if len(needs) == 0 {
		return true
	}
	rec, err := w.store.Record(ctx, key)
	for _, n := range needs {
		if err != nil || rec.Slots[n.Slot].Vars[n.Var] == "" {
			return false
		}
	}
	return true
}

func (w *world) send(ctx context.Context) {
	due, _, err := w.store.Outbox(ctx, time.Second, 5*time.Second, 100)
	if err != nil {
		return
	}
	for _, d := range due {
		if d.Overdue {
			_ = w.store.Unassign(ctx, d.Reservation, time.Second, stream.Because(stream.CodeUnclaimed, "host", "a", "limit", "20s"))
			continue
		}
		w.commandOne(ctx, queue.Start, d.Reservation, int64(d.Sending))
	}
}

func (w *world) command(ctx context.Context, verb queue.Verb, instances []store.Reservation) {
	for _, v := range instances {
		w.commandOne(ctx, verb, v, time.Now().UnixMilli())
	}
}

func (w *world) commandOne(ctx context.Context, verb queue.Verb, v store.Reservation, sending int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return
	}
	err := w.queue.SlotCommand(ctx, verb, queue.Reservation{Key: v.Key, Instance: v.Instance, Type: v.Type, Host: v.Host, Token: v.Token, Sending: sending})
	if err == nil && verb == queue.Start {
		w.starts++
	}
}

// sent is how many start commands were sent. A host that looks for itself may
// have taken a slot before its command was.
func (w *world) sent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.starts
}

// announce announces a stream by hand.
func (w *world) announce(key string, vars map[string]string, chain ...string) {
	w.t.Helper()
	w.announceItems(key, nil, vars, chain...)
}

// announceItems announces one whose chain says more than names.
func (w *world) announceItems(key string, items stream.Items, vars map[string]string, chain ...string) {
	w.t.Helper()
	a := stream.Announcement{Chain: chain, Items: items, Vars: vars, Source: map[string]string{"url": "http://ingest"}}
	// After an outage a client remembers for a moment that it could not dial.
	realtest.Await(w.t, time.Minute, key+" is not announced", func() bool {
		return w.store.AddStream(context.Background(), key, a) == nil
	})
}

func (w *world) retract(key string) {
	w.t.Helper()
	if _, err := w.store.Retract(context.Background(), store.ManualSource, key); err != nil {
		w.t.Fatal(err)
	}
}

// slot is a slot's record, zero if there is none.
func (w *world) instance(key, instance string) store.InstanceRecord {
	rec, err := w.store.Record(context.Background(), key)
	if err != nil {
		return store.InstanceRecord{}
	}
	v, _ := rec.Find(instance)
	return v
}

func (w *world) awaitSlot(key, slot string, what string, ok func(store.InstanceRecord) bool) store.InstanceRecord {
	w.t.Helper()
	var last store.InstanceRecord
	limit := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		last = w.instance(key, slot)
		if ok(last) {
			return last
		}
		if time.Now().After(limit) {
			w.t.Fatalf("%s/%s: %s; it is %+v", key, slot, what, last)
		}
		<-tick.C
	}
}

func (w *world) awaitRunning(key, slot, host string) store.InstanceRecord {
	w.t.Helper()
	return w.awaitSlot(key, slot, "does not run on "+host, func(s store.InstanceRecord) bool {
		return s.State == stream.Running && s.Host == host
	})
}

func (w *world) used(host string) int {
	hosts, err := w.store.Hosts(context.Background())
	if err != nil {
		return -1
	}
	for _, h := range hosts {
		if h.Host == host {
			n := 0
			for _, s := range h.Services {
				n += s.Used
			}
			return n
		}
	}
	return 0
}

// awaitHost returns when the host's lease runs and it takes slots.
func (w *world) awaitHost(name string) {
	w.t.Helper()
	realtest.Await(w.t, time.Minute, name+" is not up", func() bool {
		hosts, err := w.store.Hosts(context.Background())
		for _, h := range hosts {
			if err == nil && h.Host == name {
				return h.State == stream.Up
			}
		}
		return false
	})
}

// escape makes a shell script a template that gives just that script.
func escape(script string) string { return strings.ReplaceAll(script, "$", "$$") }

func countLines(text, part string) int { return strings.Count(text, part) }

// everything is all that Redis holds, as text.
func (w *world) everything() string {
	w.t.Helper()
	ctx := context.Background()
	keys, err := w.client.Keys(ctx, "*").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	for _, key := range keys {
		text, err := w.client.Dump(ctx, key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			w.t.Fatal(err)
		}
		out.WriteString(key + " " + text + "\n")
	}
	return out.String()
}

func (w *world) awaitRecord(key, what string, ok func(store.Record) bool) {
	w.t.Helper()
	realtest.Await(w.t, time.Minute, key+" "+what, func() bool {
		rec, err := w.store.Record(context.Background(), key)
		return err == nil && ok(rec)
	})
}

// poller announces as a source does.
type poller struct {
	w    *world
	name string
	last int64
}

func newPoller(w *world, name string) *poller { return &poller{w: w, name: name} }

// poll is one good poll that lists keys, each with the chain [work].
func (p *poller) poll(keys ...string) {
	p.w.t.Helper()
	ctx := context.Background()
	set, err := p.w.store.Announced(ctx, p.name)
	if err != nil {
		p.w.t.Fatal(err)
	}
	poll := store.Poll{
		Source: p.name, Poller: "test", Version: set.Version, Upsert: map[string]string{}, LastGood: p.last,
		GoneAfter: time.Hour, Info: store.SourceInfo{Type: "test", URL: "http://ingest"},
	}
	listed := map[string]bool{}
	for _, key := range keys {
		listed[key] = true
		poll.Upsert[key] = stream.Announcement{Chain: []string{"work"}, Source: map[string]string{"url": "http://ingest"}}.Encode()
		if set.Missing[key] != 0 {
			poll.Back = append(poll.Back, key)
			delete(poll.Upsert, key)
		}
	}
	for key := range set.Entries {
		if !listed[key] {
			poll.Absent = append(poll.Absent, key)
		}
	}
	result, err := p.w.store.Announce(ctx, poll)
	if err != nil || result.Stale {
		p.w.t.Fatalf("poll: %+v, %v", result, err)
	}
	p.last = result.Now
}

// staticService runs nothing and publishes a url.
func staticService(t *testing.T, stype, url string) plan.Service {
	t.Helper()
	return plan.Service{Type: stype, StreamVars: map[string]stream.Template{"url": template(t, url)}}
}

// incarnation is the life of a host that the store knows.
func (w *world) incarnation(name string) string {
	hosts, err := w.store.Hosts(context.Background())
	for _, h := range hosts {
		if err == nil && h.Host == name {
			return h.Incarnation
		}
	}
	return ""
}
