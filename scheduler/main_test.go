package scheduler

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"stream-api/internal/realtest"
	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// rig is a store on a real Redis of its own, with hosts that a test makes.
type rig struct {
	t     *testing.T
	redis *realtest.RedisServer
	store *store.Store
	ttl   time.Duration // of the leases of its hosts
	log   io.Writer     // of the schedulers; nil: the test's
}

func newRig(t *testing.T, args ...string) *rig {
	t.Helper()
	server := realtest.Redis(t, args...)
	return &rig{t: t, redis: server, store: newStore(t, server, "test"), ttl: 5 * time.Second}
}

// newStore speaks with short leases, so that holds are short.
func newStore(t *testing.T, server *realtest.RedisServer, actor string) *store.Store {
	t.Helper()
	s, err := store.New(server.Client(), store.Options{Actor: actor, TTL: 2 * time.Second, Beat: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts a scheduler that ends with the test, or when stop is called.
func (r *rig) run(cmd Commander, o Options) (s *Scheduler, stop func()) {
	r.t.Helper()
	if o.ID == "" {
		o.ID = "sched"
	}
	if o.Beat == 0 {
		o.Beat = 200 * time.Millisecond
	}
	out := r.log
	if out == nil {
		out = zerolog.NewTestWriter(r.t)
	}
	o.Log = zerolog.New(out).Level(zerolog.InfoLevel)
	s = New(newStore(r.t, r.redis, o.ID), cmd, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v; want nil when its context ends", err)
		}
	})
	r.t.Cleanup(stop)
	return s, stop
}

// offerOf is a service of a type with a capacity.
func offerOf(typ string, capacity int, c stream.Class) store.Offer {
	return store.Offer{Type: typ, Capacity: &capacity, Class: c}
}

// host is a simulated host: it claims what it is told to start, publishes, and
// releases what it is told to stop.
type host struct {
	r    *rig
	id   store.Holder
	of   stream.Labels                // of its file
	vars map[string]map[string]string // type → what its slots publish

	mu      sync.Mutex
	claimed []store.Reservation
	evicted int
	silent  bool   // does not say that its children are up
	die     func() // ends its heartbeats
	refuse  bool   // takes nothing up
}

func (r *rig) host(name string, offers ...store.Offer) *host {
	r.t.Helper()
	return r.hostOf(nil, name, offers...)
}

// hostOf is a host with labels.
func (r *rig) hostOf(labels stream.Labels, name string, offers ...store.Offer) *host {
	r.t.Helper()
	h := &host{r: r, of: labels, id: store.Holder{Host: name, Incarnation: name + "-1"}, vars: map[string]map[string]string{}}
	h.register(offers...)
	h.keepBeating(offers...)
	return h
}

func (h *host) register(offers ...store.Offer) {
	h.r.t.Helper()
	if _, err := h.r.store.Register(h.r.t.Context(), store.Registration{
		Holder: h.id, HostID: "id-" + h.id.Host, TTL: h.r.ttl, Beat: 200 * time.Millisecond, Version: "test", Labels: h.of, Offers: offers,
	}); err != nil {
		h.r.t.Fatal(err)
	}
}

// fleet delivers commands to hosts at once.
type fleet struct {
	mu     sync.Mutex
	hosts  map[string]*host
	paused []queue.Service
	starts int
	resets int
	fail   func(verb queue.Verb, s queue.Reservation) error
}

func newFleet(hosts ...*host) *fleet {
	f := &fleet{hosts: map[string]*host{}}
	for _, h := range hosts {
		f.hosts[h.id.Host] = h
	}
	return f
}

func (f *fleet) SlotCommand(ctx context.Context, verb queue.Verb, s queue.Reservation) error {
	f.mu.Lock()
	h, fail := f.hosts[s.Host], f.fail
	if verb == queue.Start {
		f.starts++
	}
	f.mu.Unlock()
	if fail != nil {
		if err := fail(verb, s); err != nil {
			return err
		}
	}
	if h == nil {
		return nil
	}
	return h.handle(ctx, verb, store.Reservation{Key: s.Key, Instance: s.Instance, Type: s.Type, Host: s.Host, Token: s.Token})
}

func (f *fleet) PausedQueues(context.Context) ([]queue.Service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paused, nil
}

func (f *fleet) Remove(context.Context, string, string) error { return nil }

func (f *fleet) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resets++
}

// reconcile obeys what the store says of what the host holds, as a host does whose
// revision changed.
func (h *host) reconcile() {
	h.r.t.Helper()
	instances, err := h.r.store.SlotsOf(h.r.t.Context(), h.id.Host)
	if err != nil {
		h.r.t.Fatal(err)
	}
	for _, v := range instances {
		verb := queue.Update
		if v.State == stream.Stopping {
			verb = queue.Stop
		}
		if err := h.handle(h.r.t.Context(), verb, v.Reservation); err != nil {
			h.r.t.Error(err)
		}
	}
}

func (h *host) handle(ctx context.Context, verb queue.Verb, v store.Reservation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse {
		return nil
	}
	switch verb {
	case queue.Start:
		if err := h.r.store.Claim(ctx, v, h.id.Incarnation); err != nil {
			return nil // stale or held: what a runner drops, the outbox sends again
		}
		h.claimed = append(h.claimed, v)
		if vars := h.vars[v.Type]; vars != nil {
			if _, err := h.r.store.Publish(ctx, v, h.id.Incarnation, vars); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
		started := map[string]string{"phase": ""}
		if !h.silent {
			started["up"] = "1"
		}
		if err := h.r.store.Report(ctx, v, h.id.Incarnation, store.Observation{Fields: started}); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	case queue.Update:
		records, err := h.r.store.Records(ctx, []string{v.Key})
		if err != nil || len(records) == 0 {
			return err
		}
		if now := records[0].Instances[v.Instance]; now.Token != v.Token || now.Move == "" {
			return nil
		}
		h.evicted++
		if _, err := h.r.store.Release(ctx, v, h.id.Incarnation, store.Release{Reason: stream.Because(stream.CodeMovedAway)}); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	case queue.Stop:
		if _, err := h.r.store.Release(ctx, v, h.id.Incarnation, store.Release{Reason: stream.Because(stream.CodeUnwanted)}); err != nil {
			return nil // told twice
		}
	}
	return nil
}

// add announces a stream by hand.
func (r *rig) add(key string, a stream.Announcement) {
	r.t.Helper()
	if err := r.store.AddStream(r.t.Context(), key, a); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) instance(key, instance string) store.InstanceRecord {
	r.t.Helper()
	records, err := r.store.Records(r.t.Context(), []string{key})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(records) == 0 {
		return store.InstanceRecord{}
	}
	v, _ := records[0].Find(instance)
	return v
}

// await polls until ok, and fails with what is last seen.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	realtest.Await(r.t, patience, what, ok)
}

func (r *rig) awaitState(key, slot string, state stream.State) store.InstanceRecord {
	r.t.Helper()
	var v store.InstanceRecord
	r.await(fmt.Sprintf("%s/%s is not %s", key, slot, state), func() bool {
		v = r.instance(key, slot)
		return v.State == state
	})
	return v
}

func (r *rig) awaitReason(key, slot, reason string) {
	r.t.Helper()
	var v store.InstanceRecord
	realtest.Await(r.t, patience, "reason "+reason, func() bool {
		if v = r.instance(key, slot); v.Reason.String() == reason {
			return true
		}
		return false
	})
}

// keepSilent has the host not say that its children are up.
func (h *host) keepSilent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = true
}
