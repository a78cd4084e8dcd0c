package scheduler

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

func startFirst(o store.Offer) store.Offer {
	o.Handover = stream.StartFirst
	return o
}

// used is how many slots of a type a host holds, as the store counts it.
func (r *rig) used(host, typ string) int {
	r.t.Helper()
	hosts, err := r.store.Hosts(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range hosts {
		for _, v := range h.Services {
			if h.Host == host && v.Type == typ {
				return v.Used
			}
		}
	}
	return -1
}

func (r *rig) move(key, slot, target string, limit time.Duration) {
	r.t.Helper()
	if _, err := r.store.Move(r.t.Context(), key, slot, target, limit); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) awaitNoMoves() {
	r.t.Helper()
	r.await("a move is still under way", func() bool {
		moves, err := r.store.Moves(r.t.Context())
		return err == nil && len(moves) == 0
	})
}

func (r *rig) awaitHost(key, slot, host string) store.InstanceRecord {
	r.t.Helper()
	var v store.InstanceRecord
	r.await(fmt.Sprintf("%s/%s does not run on %s", key, slot, host), func() bool {
		v = r.instance(key, slot)
		return v.State == stream.Running && v.Host == host
	})
	return v
}

func TestStopFirstMoveStopsThereThenRunsOnTheTarget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{}))
	b := r.host("b", offerOf("record", 5, stream.Class{}))
	c := r.host("c", offerOf("record", 5, stream.Class{}))
	r.run(newFleet(a, b, c), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	old := r.awaitHost("s1", "record", "a")
	r.move("s1", "record", "c", time.Minute)
	v := r.awaitHost("s1", "record", "c")
	if v.Token == old.Token || a.evicted != 1 {
		t.Errorf("token %s after %s, a evicted %d times; want another token and once", v.Token, old.Token, a.evicted)
	}
	r.awaitNoMoves()
	if r.used("a", "record") != 0 || r.used("c", "record") != 1 {
		t.Errorf("used %d on a, %d on c; want 0 and 1", r.used("a", "record"), r.used("c", "record"))
	}
}

func TestStartFirstMoveRunsBothThenTheNewOneLeads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	offer := startFirst(offerOf("dist", 5, stream.Class{}))
	a, b := r.host("a", offer), r.host("b", offer)
	a.vars["dist"] = map[string]string{"url": "http://a"}
	b.vars["dist"] = map[string]string{"url": "http://b"}
	user := r.host("u", offerOf("transcode", 5, stream.Class{Needs: "dist:url"}))
	r.run(newFleet(a, b, user), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"dist", "transcode"}})
	old := r.awaitHost("s1", "dist", "a")
	r.awaitState("s1", "transcode", stream.Running)
	r.move("s1", "dist", "", time.Minute)
	v := r.awaitHost("s1", "dist", "b")
	if v.Vars["url"] != "http://b" || v.Token == old.Token {
		t.Errorf("after the move: %+v; want the vars and token of b", v)
	}
	r.awaitNoMoves()
	r.await("the old one is not forgotten", func() bool { return r.instance("s1", "dist.1").State == "" })
	if a.evicted != 0 {
		t.Error("a was asked to stop before b ran")
	}
	if r.used("a", "dist") != 0 || r.used("b", "dist") != 1 {
		t.Errorf("used %d on a, %d on b; want 0 and 1", r.used("a", "dist"), r.used("b", "dist"))
	}
}

func TestMoveWithoutRoomIsGivenUpAtItsDeadlineAndNothingStopped(t *testing.T) {
	t.Parallel()
	for _, kind := range []stream.Handover{stream.StopFirst, stream.StartFirst} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			full := offerOf("record", 1, stream.Class{})
			full.Handover = kind
			a, b := r.host("a", full), r.host("b", full)
			r.run(newFleet(a, b), Options{})
			r.add("s1", stream.Announcement{Chain: []string{"record"}})
			r.add("s2", stream.Announcement{Chain: []string{"record"}})
			r.awaitState("s1", "record", stream.Running)
			r.awaitState("s2", "record", stream.Running)
			before := r.instance("s1", "record")
			r.move("s1", "record", "", 1500*time.Millisecond)
			r.awaitNoMoves()
			after := r.instance("s1", "record")
			if after.Token != before.Token || after.State != stream.Running || after.Reason.IsZero() {
				t.Errorf("after: %+v; want the same token, running, with a reason", after)
			}
			if next := r.instance("s1", "record.2"); next.State != "" {
				t.Errorf("successor left behind: %+v", next)
			}
		})
	}
}

func TestSuccessorTakesOverAtOnceWhenTheOldHolderIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	offer := startFirst(offerOf("dist", 5, stream.Class{}))
	a, b := r.host("a", offer), r.host("b", offer)
	r.run(newFleet(a, b), Options{Ready: time.Hour})
	r.add("s1", stream.Announcement{Chain: []string{"dist"}})
	old := r.awaitHost("s1", "dist", "a")
	b.keepSilent()
	r.move("s1", "dist", "", time.Minute)
	next := r.awaitHost("s1", "dist.2", "b")
	if _, err := r.store.Release(t.Context(), old.Reservation, a.id.Incarnation, store.Release{Reason: stream.Because(stream.CodeExited, "exit", "exit 1"), Avoid: time.Minute}); err != nil {
		t.Fatal(err)
	}
	v := r.awaitHost("s1", "dist", "b")
	if v.Token != next.Token {
		t.Errorf("token %s; want that of the successor, %s", v.Token, next.Token)
	}
	r.awaitNoMoves()
}

func TestStreamThatEndsDuringAMoveLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	offer := startFirst(offerOf("dist", 5, stream.Class{}))
	a, b := r.host("a", offer), r.host("b", offer)
	b.keepSilent()
	r.run(newFleet(a, b), Options{Ready: time.Hour})
	r.add("s1", stream.Announcement{Chain: []string{"dist"}})
	r.awaitHost("s1", "dist", "a")
	r.move("s1", "dist", "", time.Minute)
	r.awaitHost("s1", "dist.2", "b")
	if _, err := r.store.Retract(t.Context(), store.ManualSource, "s1"); err != nil {
		t.Fatal(err)
	}
	r.await("the stream is not forgotten", func() bool {
		records, err := r.store.Records(t.Context(), []string{"s1"})
		return err == nil && len(records) == 0
	})
	r.awaitNoMoves()
	if r.used("a", "dist") != 0 || r.used("b", "dist") != 0 {
		t.Errorf("used %d and %d; want 0 and 0", r.used("a", "dist"), r.used("b", "dist"))
	}
}

func TestDrainEmptiesAHostOneSlotAtATimeOverTheDeathOfAScheduler(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := offerOf("record", 20, stream.Class{})
	a := r.host("a", first, startFirst(offerOf("dist", 20, stream.Class{})))
	f := newFleet(a)
	_, stop := r.run(f, Options{ID: "one"})
	for i := range 5 {
		r.add(fmt.Sprintf("s%d", i), stream.Announcement{Chain: []string{"record", "dist"}})
	}
	for i := range 5 {
		r.awaitState(fmt.Sprintf("s%d", i), "record", stream.Running)
		r.awaitState(fmt.Sprintf("s%d", i), "dist", stream.Running)
	}
	b := r.host("b", first, startFirst(offerOf("dist", 20, stream.Class{})))
	f.mu.Lock()
	f.hosts["b"] = b
	f.mu.Unlock()
	if err := r.store.Drain(t.Context(), "a", 0, 0); err != nil {
		t.Fatal(err)
	}
	r.await("nothing was moved", func() bool { return r.used("b", "record")+r.used("b", "dist") >= 2 })
	stop()
	r.run(f, Options{ID: "two"})
	r.await("the host is not empty", func() bool {
		a.reconcile() // what the first was about to tell it is told by nobody else
		return r.used("a", "record") == 0 && r.used("a", "dist") == 0 && r.used("b", "record") == 5 && r.used("b", "dist") == 5
	})
	r.awaitNoMoves()
}

func TestDrainLeavesWhatIsPinnedThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	offers := []store.Offer{offerOf("record", 5, stream.Class{}), startFirst(offerOf("dist", 5, stream.Class{}))}
	a := r.host("a", offers...)
	f := newFleet(a)
	r.run(f, Options{})
	for _, key := range []string{"s1", "s2"} {
		r.add(key, stream.Announcement{Chain: []string{"record", "dist"}})
		r.awaitHost(key, "record", "a")
		r.awaitHost(key, "dist", "a")
	}
	before := r.instance("s1", "record").Token + r.instance("s1", "dist").Token
	for _, slot := range []string{"record", "dist"} {
		if _, moving, err := r.store.Pin(t.Context(), "s1", slot, "a", 0); err != nil || moving {
			t.Fatalf("pin %s where it is: moving %v, %v", slot, moving, err)
		}
	}
	b := r.host("b", offers...)
	f.mu.Lock()
	f.hosts["b"] = b
	f.mu.Unlock()
	if err := r.store.Drain(t.Context(), "a", 0, 0); err != nil {
		t.Fatal(err)
	}
	r.awaitHost("s2", "record", "b")
	r.awaitHost("s2", "dist", "b")
	r.awaitReason("s1", "record", "not moved: it is pinned to a")
	r.awaitReason("s1", "dist", "not moved: pinned to a: no dist service that matches is up: a draining")
	if after := r.instance("s1", "record").Token + r.instance("s1", "dist").Token; after != before || r.used("a", "record") != 1 || r.used("a", "dist") != 1 {
		t.Errorf("what is pinned was moved")
	}
}

func TestDrainDeadlineStopsWhatFoundNoRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 2, stream.Class{}))
	r.run(newFleet(a), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	r.awaitHost("s1", "record", "a")
	if err := r.store.Drain(t.Context(), "a", 1500*time.Millisecond, 0); err != nil {
		t.Fatal(err)
	}
	r.awaitReason("s1", "record", "not moved: nobody offers record")
	r.awaitState("s1", "record", stream.Pending)
	if r.used("a", "record") != 0 {
		t.Errorf("a holds %d; want none after the deadline", r.used("a", "record"))
	}
}

// TestAWishReadsTheHostsItIsAboutAndNoOther: four times a second, while it waits.
func TestAWishReadsTheHostsItIsAboutAndNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 1, stream.Class{}))
	for i := range 40 {
		(&host{r: r, id: store.Holder{Host: fmt.Sprintf("h%02d", i), Incarnation: "1"}}).register(offerOf("dist", 1, stream.Class{}))
	}
	s, stop := r.run(newFleet(a), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("s1", "record", stream.Running)
	stop()
	if _, err := r.store.Move(t.Context(), "s1", "record", "", 0); err != nil {
		t.Fatal(err)
	}
	reads := func() (n int) {
		line := regexp.MustCompile(`cmdstat_hgetall:calls=(\d+)`).FindStringSubmatch(r.redis.Client().Info(t.Context(), "commandstats").Val())
		n, _ = strconv.Atoi(line[1])
		return n
	}
	before := reads()
	if _, err := s.move(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := reads() - before; n > 12 {
		t.Errorf("%d hashes are read for one wish among 41 hosts", n)
	}
}
