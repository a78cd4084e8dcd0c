package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

var errLost = errors.New("lost on its way")

// TestRacingSchedulersLoseNothingAndGiveNothingTwice has three schedulers, one
// of them replaced again and again, and a third of all commands lost.
func TestRacingSchedulersLoseNothingAndGiveNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const hosts, streams = 6, 40
	var all []*host
	for i := range hosts {
		all = append(all, r.host(fmt.Sprintf("h%d", i), offerOf("dist", 20, stream.Class{}), offerOf("record", 10, stream.Class{Needs: "dist:url"})))
		all[i].vars["dist"] = map[string]string{"url": "http://" + all[i].id.Host}
	}
	f := newFleet(all...)
	var lost atomic.Int64
	f.fail = func(queue.Verb, queue.Reservation) error {
		if rand.IntN(3) == 0 {
			lost.Add(1)
			return errLost
		}
		return nil
	}
	o := Options{Resend: 100 * time.Millisecond, Seats: 3}
	for i := range 2 {
		o.ID = fmt.Sprintf("steady%d", i)
		r.run(f, o)
	}
	for i := range streams {
		if i%10 == 0 {
			o.ID = fmt.Sprintf("brief%d", i)
			_, stop := r.run(f, o)
			defer stop()
			if i > 0 {
				stop()
			}
		}
		r.add(fmt.Sprintf("s%d", i), stream.Announcement{Chain: []string{"record", "dist"}})
	}
	for i := range streams {
		r.awaitState(fmt.Sprintf("s%d", i), "dist", stream.Running)
		r.awaitState(fmt.Sprintf("s%d", i), "record", stream.Running)
	}
	if lost.Load() == 0 {
		t.Error("no command was lost; the test shows nothing")
	}
	given := map[string]string{}
	for _, h := range all {
		for _, v := range h.claimed {
			name := v.Key + "/" + v.Instance
			if token, twice := given[name]; twice && token != v.Token {
				t.Errorf("%s was claimed twice", name)
			}
			given[name] = v.Token
		}
		for _, typ := range []string{"dist", "record"} {
			if n := r.used(h.id.Host, typ); n > map[string]int{"dist": 20, "record": 10}[typ] {
				t.Errorf("%s holds %d of %s", h.id.Host, n, typ)
			}
		}
	}
	if len(given) != 2*streams {
		t.Errorf("%d slots claimed, want %d", len(given), 2*streams)
	}
}

// TestPlaceOfADeadSchedulerIsSentByAnother kills a scheduler after it placed
// and before the start was enqueued.
func TestPlaceOfADeadSchedulerIsSentByAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 1, stream.Class{}))
	stuck := &stuckCommander{fleet: newFleet(a), reached: make(chan struct{})}
	_, stop := r.run(stuck, Options{ID: "dies"})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	<-stuck.reached
	stop()
	if v := r.instance("s1", "record"); v.State != stream.Assigned {
		t.Fatalf("the slot is %s; want assigned and not sent", v.State)
	}
	r.run(newFleet(a), Options{ID: "lives", Resend: 300 * time.Millisecond})
	r.awaitState("s1", "record", stream.Running)
}

// stuckCommander never gets a command through.
type stuckCommander struct {
	*fleet
	once    sync.Once
	reached chan struct{}
}

func (c *stuckCommander) SlotCommand(ctx context.Context, _ queue.Verb, _ queue.Reservation) error {
	c.once.Do(func() { close(c.reached) })
	<-ctx.Done()
	return ctx.Err()
}

func TestUnclaimedStartIsTakenBackAndItsHostAvoided(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.host("a", offerOf("record", 1, stream.Class{})), r.host("b", offerOf("record", 1, stream.Class{}))
	a.refuse = true
	s, _ := r.run(newFleet(a, b), Options{Resend: 200 * time.Millisecond, Limit: 600 * time.Millisecond})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	v := r.awaitHost("s1", "record", "b")
	if _, avoided := v.Avoid["a"]; !avoided || s.Stats().Unclaimed != 1 {
		t.Errorf("avoids %v, %d taken back; want a avoided and 1", v.Avoid, s.Stats().Unclaimed)
	}
	r.add("s2", stream.Announcement{Chain: []string{"record"}})
	r.awaitReason("s2", "record", "cooling down on a: host a did not take it up within 600ms; all that match and are up are full: 1/1")
}

func TestSeatOfADeadSchedulerIsTakenWithinSeconds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if seat, err := r.store.Seat(t.Context(), "dead", 1, 2*time.Second); err != nil || seat.Seated == nil {
		t.Fatalf("seat: %+v, %v", seat, err)
	}
	s, _ := r.run(newFleet(), Options{Seats: 1})
	r.await("the seat stays empty", func() bool { return s.Stats().Seated })
	second, _ := r.run(newFleet(), Options{ID: "second", Seats: 1})
	hints := r.store.Hints(t.Context())
	r.await("what one that stands by was told does not reach the busy one", func() bool {
		if err := second.Consider(t.Context(), queue.Appeared, []string{"s1"}); err != nil {
			t.Fatal(err)
		}
		select {
		case h := <-hints:
			return h.What == "dirty"
		default:
			return false
		}
	})
	if second.Stats().Seated {
		t.Error("two are busy on one seat")
	}
}

func TestHandedBackSeatIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, stop := r.run(newFleet(), Options{ID: "first", Seats: 1, SeatTTL: time.Minute})
	r.await("no seat", func() bool { return first.Stats().Seated })
	stop()
	if seat, err := r.store.Seat(t.Context(), "next", 1, time.Second); err != nil || seat.Seated == nil {
		t.Errorf("seat after the first left: %+v, %v", seat, err)
	}
}

func TestRestartedEmptyStoreIsHeldThenServed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{}))
	f := newFleet(a)
	r.run(f, Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("s1", "record", stream.Running)
	r.redis.Kill()
	r.redis.Start()
	r.add("s2", stream.Announcement{Chain: []string{"record"}})
	r.await("no reason tells of the hold", func() bool {
		return strings.HasPrefix(r.instance("s2", "record").Reason.String(), "on hold: the store ")
	})
	r.awaitState("s2", "record", stream.Running)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.resets == 0 {
		t.Error("the queues were not made anew")
	}
}

// keepBeating lives as a host does, until the test ends: it beats, and registers
// where it is not known.
func (h *host) keepBeating(offers ...store.Offer) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := h.r.store.Heartbeat(ctx, h.id); errors.Is(err, store.ErrUnknownHost) {
				// What fails while the store is away is done at the next tick.
				_, _ = h.r.store.Register(ctx, store.Registration{
					Holder: h.id, HostID: "id-" + h.id.Host, TTL: h.r.ttl, Beat: 200 * time.Millisecond, Version: "test", Offers: offers,
				})
			}
		}
	})
	h.die = func() { cancel(); done.Wait() }
	h.r.t.Cleanup(h.die)
}

func TestEventsAreReadByTheOneThatHeedsHintsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reads := make(chan string, 10)
	reader := func(id string) func(context.Context) error {
		return func(ctx context.Context) error {
			reads <- id
			<-ctx.Done()
			reads <- "-" + id
			return nil
		}
	}
	next := func() string {
		t.Helper()
		select {
		case id := <-reads:
			return id
		case <-time.After(patience):
			t.Fatal("nobody begins or ends to read")
			return ""
		}
	}
	_, stopB := r.run(newFleet(), Options{ID: "b", Seats: 2, SeatTTL: 300 * time.Millisecond, Events: reader("b")})
	if id := next(); id != "b" {
		t.Fatalf("%s reads", id)
	}
	_, stopA := r.run(newFleet(), Options{ID: "a", Seats: 2, SeatTTL: 300 * time.Millisecond, Events: reader("a")})
	// The first by id takes over; for a moment both may read.
	if got := next() + next(); got != "a-b" && got != "-ba" {
		t.Fatalf("after a came: %s", got)
	}
	s, _ := r.run(newFleet(), Options{ID: "0", Seats: 2, SeatTTL: 300 * time.Millisecond, Events: reader("0")}) // stands by
	stopA()
	seen := map[string]int{}
	for range 2 {
		seen[next()]++
	}
	if seen["-a"] != 1 || seen["0"]+seen["b"] != 1 {
		t.Errorf("after a ended: %v", seen)
	}
	r.await("one that stood by has the seat", func() bool { return s.Stats().Seated })
	stopB()
}
