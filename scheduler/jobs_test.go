package scheduler

import (
	"testing"
	"time"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// ends makes one end of a slot of a stream that is not announced, with jobs after it.
func (r *rig) ends(h *host, key, token string, items stream.Items, untold ...string) {
	r.t.Helper()
	v := store.Reservation{Key: key, Instance: "record.1", Type: "record", Host: h.id.Host, Token: token}
	if err := r.store.TellEnded(r.t.Context(), v.Host, h.id.Incarnation, store.End{
		Reservation: v, Reason: stream.Because(stream.CodeEnded), Began: time.Now(), Ended: time.Now(), Copy: store.Copy{Items: items}, Untold: untold,
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) jobs() []store.Job {
	r.t.Helper()
	all, err := r.store.Jobs(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestJobsWaitBehindSlots: one that is bound runs on its host though that is drained; one
// that is not has what no slot waits for, and says why it waits.
func TestJobsWaitBehindSlots(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ttl = 30 * time.Second
	a, b := r.host("a", offerOf("upload", 1, stream.Class{})), r.host("b", offerOf("record", 1, stream.Class{}), offerOf("both", 1, stream.Class{}))
	r.run(newFleet(a, b), Options{Net: 300 * time.Millisecond})
	if err := r.store.Cordon(t.Context(), "a", stream.Draining); err != nil {
		t.Fatal(err)
	}
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("s1", "record", stream.Running)
	r.add("s2", stream.Announcement{Chain: []string{"record"}})
	r.await("s2 does not wait for room", func() bool { return r.instance("s2", "record").Reason.Code == stream.CodeFull })
	r.ends(a, "x1", "1-a", stream.Items{"upload": {Of: "record"}})
	r.await("what is bound to a drained host does not run there", func() bool {
		all := r.jobs()
		return len(all) == 1 && all[0].State == stream.Running && all[0].Host == "a"
	})
	r.ends(b, "x2", "2-b", stream.Items{"copy": {Of: "record", Type: "record", Host: stream.Selector{Name: stream.AnyHost}}, "thumb": {Of: "record", Type: "both"}})
	state := func(name string) (out store.Job) {
		for _, j := range r.jobs() {
			if j.Job.Name == name {
				out = j
			}
		}
		return out
	}
	r.await("a job does not run beside slots that wait for something else", func() bool { return state("thumb").State == stream.Running })
	if err := r.store.SetCapacity(t.Context(), "record", "b", new(int)); err != nil {
		t.Fatal(err)
	}
	r.await("it does not say that it waits", func() bool { return !state("copy").Reason.IsZero() })
	two, three := 2, 3
	for _, more := range []*int{&two, &three} {
		if err := r.store.SetCapacity(t.Context(), "record", "b", more); err != nil {
			t.Fatal(err)
		}
		if more == &two {
			r.awaitState("s2", "record", stream.Running) // before the job
			if v := state("copy"); v.State != stream.Pending {
				t.Errorf("beside a slot that waited the job is %s", v.State)
			}
		}
	}
	r.await("the job has no room still", func() bool { return state("copy").State == stream.Running })
	if all := r.instance("x2", "copy"); all.State != "" {
		t.Errorf("a job shows as a slot: %+v", all)
	}
}

// TestWhatSlotsWaitForIsReserved: the service itself, or a pool that is short; not what is full
// beside it.
func TestWhatSlotsWaitForIsReserved(t *testing.T) {
	t.Parallel()
	pool := func(name string, taken, needs stream.Amount) placement.Pool {
		return placement.Pool{Name: name, Size: 4000, Taken: taken, Needs: needs}
	}
	live := placement.Service{Host: "a", Class: "c", Limit: 2, Used: 1, State: stream.Up, HostState: stream.Up, Pools: []placement.Pool{pool("gpu", 4000, 1000), pool("cpu", 0, 1000)}}
	full, cordoned := live, live
	full.Used, full.Pools = 2, []placement.Pool{pool("gpu", 1000, 1000)}
	cordoned.State = stream.Cordoned
	upload := func(pools ...placement.Pool) placement.Service {
		return placement.Service{Host: "a", Class: "c", Limit: -1, State: stream.Up, HostState: stream.Up, Pools: pools}
	}
	for name, tt := range map[string]struct {
		live, job placement.Service
		waits     placement.Candidate
		want      bool
	}{
		"the short pool":                  {live, upload(pool("gpu", 4000, 500)), placement.Candidate{Class: "c"}, true},
		"the short pool, for that host":   {live, upload(pool("gpu", 4000, 500)), placement.Candidate{Class: "c", Host: "a"}, true},
		"a pool of which there is enough": {live, upload(pool("cpu", 0, 500)), placement.Candidate{Class: "c"}, false},
		"no pool":                         {live, upload(), placement.Candidate{Class: "c"}, false},
		"waits for another class":         {live, upload(pool("gpu", 4000, 500)), placement.Candidate{Class: "d"}, false},
		"waits for another host":          {live, upload(pool("gpu", 4000, 500)), placement.Candidate{Class: "c", Host: "b"}, false},
		"takes nothing anyway":            {cordoned, upload(pool("gpu", 4000, 500)), placement.Candidate{Class: "c"}, false},
		"full, and the pool has some":     {full, upload(pool("gpu", 1000, 500)), placement.Candidate{Class: "c"}, false},
	} {
		var h placement.Hunger
		h.Wait([]placement.Candidate{tt.waits})
		got := placement.Reserved("upload", map[string][]placement.Service{"upload": {tt.job}, "live": {tt.live}}, map[string]*placement.Hunger{"live": &h})
		if got["a"] != tt.want {
			t.Errorf("%s: reserved %v", name, got)
		}
		if same := placement.Reserved("live", map[string][]placement.Service{"live": {tt.live}}, map[string]*placement.Hunger{"live": &h}); same["a"] != (tt.waits.Class == "c" && tt.waits.Host != "b" && tt.live.State == stream.Up) {
			t.Errorf("%s: of the same type %v", name, same)
		}
	}
}
