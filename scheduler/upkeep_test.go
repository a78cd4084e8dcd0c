package scheduler

import (
	"testing"
	"time"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

func TestTypeNobodyOffersIsSaidSo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host("a", offerOf("dist", 1, stream.Class{}))
	r.run(newFleet(), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"fanout"}})
	r.awaitReason("s1", "fanout", "nobody offers fanout")
}

func TestPausedQueueCordonsItsServiceAndNonsenseHarmsNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.host("a", offerOf("record", 1, stream.Class{})), r.host("b", offerOf("record", 1, stream.Class{}), offerOf("dist", 1, stream.Class{}))
	f := newFleet(a, b)
	f.paused = []queue.Service{{Type: "record", Host: "a"}}
	if err := r.redis.Client().HSet(t.Context(), "service:record:b", "capacity", "many").Err(); err != nil {
		t.Fatal(err)
	}
	r.run(f, Options{Upkeep: 200 * time.Millisecond})
	r.await("the pause has no effect", func() bool {
		hosts, err := r.store.Hosts(t.Context())
		return err == nil && hosts[0].Services[0].State == stream.Cordoned && hosts[0].Services[0].Paused
	})
	r.add("s1", stream.Announcement{Chain: []string{"record", "dist"}})
	r.awaitState("s1", "dist", stream.Running)
	r.awaitReason("s1", "record", `not up: a paused; service:record:b takes nothing: capacity "many" is no whole number from 0 to 1000000`)
	f.mu.Lock()
	f.paused = nil
	f.mu.Unlock()
	r.awaitHost("s1", "record", "a")
}

func TestKeysMadeAnotherTypeByHandHarmTheirStreamAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{}))
	r.run(newFleet(a), Options{Upkeep: 200 * time.Millisecond})
	for _, key := range []string{"override:bad", "stream:worse", "stream:worst:record"} {
		if err := r.redis.Client().Set(t.Context(), key, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"bad", "worse", "worst", "good"} {
		r.add(key, stream.Announcement{Chain: []string{"record"}})
	}
	r.awaitState("good", "record", stream.Running)
	r.awaitState("bad", "record", stream.Running)
	r.awaitState("worse", "record", stream.Running)
	r.awaitState("worst", "record", stream.Running)
}

func TestWhatAHandTookAwayIsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{}), offerOf("dist", 5, stream.Class{}))
	r.run(newFleet(a), Options{Upkeep: 200 * time.Millisecond})
	for _, key := range []string{"s1", "s2", "s3"} {
		r.add(key, stream.Announcement{Chain: []string{"dist", "record"}})
		r.awaitState(key, "record", stream.Running)
	}
	if err := r.redis.Client().Del(t.Context(), "stream:s1", "stream:s2:record", "service:dist:a").Err(); err != nil {
		t.Fatal(err)
	}
	r.awaitState("s1", "record", stream.Running)
	r.awaitState("s2", "record", stream.Running)
	r.await("the host does not offer dist again", func() bool {
		return r.redis.Client().HGet(t.Context(), "service:dist:a", "used").Val() == "3"
	})
}

func TestHostThatIsDownForLongIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{Filter: "^q"}))
	b := r.host("b", offerOf("thumb", 1, stream.Class{}))
	r.ends(a, "x1", "1-a", stream.Items{"upload": {Of: "record"}})
	a.die()
	b.die()
	for _, h := range []*host{a, b} {
		if _, err := r.store.Leave(t.Context(), h.id); err != nil {
			t.Fatal(err)
		}
	}
	r.run(newFleet(), Options{Upkeep: 100 * time.Millisecond, ForgetAfter: time.Millisecond})
	r.await("b is remembered", func() bool {
		hosts, err := r.store.Hosts(t.Context())
		return err == nil && len(hosts) < 2
	})
	hosts, err := r.store.Hosts(t.Context())
	if err != nil || len(hosts) != 1 || hosts[0].Host != "a" {
		t.Errorf("%+v, %v; want a, for whose files a job waits", hosts, err)
	}
	if job := r.jobs()[0]; job.Only != "a" {
		t.Errorf("the job is for %q", job.Only)
	} else if _, err := r.store.RemoveJob(t.Context(), job.Key, job.Instance, stream.Because(stream.CodeAsked)); err != nil {
		t.Fatal(err)
	}
	r.await("a is remembered", func() bool {
		hosts, err := r.store.Hosts(t.Context())
		return err == nil && len(hosts) == 0
	})
	r.await("its class is remembered", func() bool {
		classes, err := r.store.Classes(t.Context(), "record")
		return err == nil && len(classes) == 0
	})
}

// poll announces s1 as a source with a rank, as its poller would.
func (r *rig) poll(source string, rank int, last int64) int64 {
	r.t.Helper()
	set, err := r.store.Announced(r.t.Context(), source)
	if err != nil {
		r.t.Fatal(err)
	}
	a := stream.Announcement{Chain: []string{"record"}, Rank: rank, Source: map[string]string{"url": "http://" + source}}
	got, err := r.store.Announce(r.t.Context(), store.Poll{
		Source: source, Poller: "p", Version: set.Version, Upsert: map[string]string{"s1": a.Encode()}, LastGood: last,
		GoneAfter: 3 * time.Second, Info: store.SourceInfo{URL: "http://" + source, Type: "icecast"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return got.Now
}

// TestPrimaryIngestThatDiesIsReplacedOnceAndComesBackAfterHysteresis counts how
// often the holder of a slot is told, which is how often its child restarts.
func TestPrimaryIngestThatDiesIsReplacedOnceAndComesBackAfterHysteresis(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("record", 5, stream.Class{}))
	r.run(newFleet(a), Options{Hysteresis: 1500 * time.Millisecond})
	r.poll("primary", 10, 0)
	r.poll("backup", 0, 0)
	r.awaitHost("s1", "record", "a")
	used := func() string {
		v, err := r.store.Record(t.Context(), "s1")
		if err != nil {
			t.Fatal(err)
		}
		return v.Source
	}
	if got := used(); got != "primary" {
		t.Fatalf("source %s; want the one of higher rank", got)
	}
	r.poll("primary", 10, 0)
	died := time.Now()
	var switches int
	last := "primary"
	awaitSource := func(want string, alive ...string) time.Duration {
		began := time.Now()
		r.await("source "+want+" is not in use", func() bool {
			for _, name := range alive {
				r.poll(name, map[string]int{"primary": 10}[name], 0)
			}
			got := used()
			if got != last {
				switches++
				last = got
			}
			return got == want
		})
		return time.Since(began)
	}
	// Its pollers are dead, so that nobody even says that it is unknown.
	awaitSource("backup", "backup")
	if took := time.Since(died); took < 2500*time.Millisecond || took > 15*time.Second {
		t.Errorf("switched after %v; want gone_after (3 s) and little more", took)
	}
	if v, err := r.store.Record(t.Context(), "s1"); err != nil || v.Origin["url"] != "http://backup" || v.Away {
		t.Errorf("record %+v, %v; want the backup's url, not away", v, err)
	}
	if took := awaitSource("primary", "backup", "primary"); took < 1400*time.Millisecond {
		t.Errorf("back after %v; want the hysteresis of 1.5 s", took)
	}
	if switches != 2 {
		t.Errorf("%d switches; want one there and one back", switches)
	}
}
