package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// waiting has one job of s1 wait after an end on a host, which is registered.
func (g *stage) waiting(items string) (a store.Holder, ended store.Reservation, job string) {
	g.t.Helper()
	g.open()
	a = g.host("a")
	g.withJobs("s1")
	g.must(g.client.HSet(g.ctx, "stream:s1", "items", items).Err())
	ended = g.ran("s1", a)
	g.end("s1")
	g.dies(ended)
	g.release(ended, a)
	return a, ended, g.oneJob("s1")
}

// placeJob asks for a place for a job on any host, or its own.
func (g *stage) placeJob(job string, weighed ...string) store.Placement {
	g.t.Helper()
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: job, Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}, Weighed: weighed}})
	g.must(err)
	return got[0]
}

// begun has a job placed, and its child run.
func (g *stage) begun(job string, h store.Holder) store.Reservation {
	g.t.Helper()
	p := g.placeJob(job)
	if p.Outcome != store.Placed || p.Host != h.Host {
		g.t.Fatalf("placed: %+v", p)
	}
	g.runs(p.Reservation, h)
	g.must(g.s.Report(g.ctx, p.Reservation, h.Incarnation, store.Observation{Fields: map[string]string{"ran": "1", "phase": "", "up": "1", "tries": "3"}}))
	return p.Reservation
}

var tookTen = &store.Done{Began: time.UnixMilli(1_800_000_000_000), Ended: time.UnixMilli(1_800_000_010_000)}

func TestAJobThatIsDoneLeavesItsResultAndWhatComesAfterIt(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, ended, job := g.waiting(`{"upload":{"of":"enc","type":"enc"},"check":{"of":"upload","type":"enc"}}`)
	v := g.begun(job, a)
	g.dies(v)
	got, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Done: tookTen})
	g.must(err)
	if got != store.Finished {
		t.Errorf("released: %v", got)
	}
	list, err := g.s.DoneJobs(g.ctx, 10)
	g.must(err)
	if len(list) != 1 || list[0].Instance != job || list[0].Host != "a" || list[0].Ended-list[0].Began != 10_000 || list[0].After != "enc.1" || list[0].OfHost != "a" {
		t.Errorf("results: %+v", list)
	}
	next, err := g.s.Jobs(g.ctx)
	g.must(err)
	if len(next) != 1 || next[0].Job.Name != "check" || next[0].Only != "a" || next[0].Job.Of["dir"] != "/rec" || next[0].Job.Of["reason"] != "done" || next[0].Job.After != job {
		t.Fatalf("after it comes %+v", next)
	}
	for range 2 { // told again, by a host that does not know whether it was heard
		g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: v, Done: tookTen, Copy: store.Copy{Items: stream.Items{"check": {Of: "upload", Type: "enc"}}}}))
		g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: ended, Copy: store.Copy{Items: stream.Items{"upload": {Of: "enc", Type: "enc"}}}}))
	}
	if again := g.oneJob("s1"); again != next[0].Instance {
		t.Errorf("told again it is followed by %s", again)
	}
	w := g.begun(next[0].Instance, a)
	g.dies(w)
	_, err = g.s.Release(g.ctx, w, a.Incarnation, store.Release{Done: tookTen})
	g.must(err)
	if _, err := g.s.Record(g.ctx, "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after its last job a stream that is gone has a record: %v", err)
	}
	g.c.advance(8 * 24 * time.Hour)
	g.must(g.s.PruneJobs(g.ctx))
	if list, err := g.s.DoneJobs(g.ctx, 10); err != nil || len(list) != 0 || g.client.Exists(g.ctx, "job:s1:"+job).Val() != 0 {
		t.Errorf("after a week there is %+v, %v", list, err)
	}
}

func TestAJobThatFailedStaysUntilAnOperatorSays(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, _, job := g.waiting(jobItems)
	var not *store.JobError
	if err := g.s.RetryJob(g.ctx, "s1", job); !errors.As(err, &not) {
		t.Errorf("what waits is tried again: %v", err)
	}
	fails := func() {
		v := g.begun(job, a)
		g.dies(v)
		got, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeExited, "exit", "1"), Failed: true})
		g.must(err)
		if got != store.FailedForGood {
			t.Errorf("released: %v", got)
		}
	}
	fails()
	_, err := g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	v, err := g.s.ReadJob(g.ctx, "s1", job)
	g.must(err)
	if v.State != stream.JobFailed || v.Host != "" || v.On != "a" || v.Job.Tries != 3 || v.Reason.Code != stream.CodeExited {
		t.Errorf("it failed and is %+v", v)
	}
	if n := g.client.ZCard(g.ctx, "pending:enc").Val() + g.client.ZCard(g.ctx, "slots:a").Val(); n != 0 {
		t.Errorf("what failed is in line or holds something: %d", n)
	}
	if bound, err := g.s.JobsBoundTo(g.ctx, "a"); err != nil || len(bound) != 0 {
		t.Errorf("a waits for %+v, %v", bound, err)
	}
	g.must(g.s.RetryJob(g.ctx, "s1", job))
	if v, err = g.s.ReadJob(g.ctx, "s1", job); err != nil || v.State != stream.Pending || v.Job.Tries != 0 || v.On != "" {
		t.Errorf("tried again it is %+v, %v", v, err)
	}
	if bound, err := g.s.JobsBoundTo(g.ctx, "a"); err != nil || len(bound) != 1 {
		t.Errorf("a waits for %+v, %v", bound, err)
	}
	g.must(g.s.FailJob(g.ctx, "s1", job, stream.Because(stream.CodeAsked)))
	g.must(g.s.RetryJob(g.ctx, "s1", job))
	w := g.begun(job, a)
	stop, err := g.s.RemoveJob(g.ctx, "s1", job, stream.Because(stream.CodeAsked))
	g.must(err)
	if stop != w {
		t.Errorf("what runs is stopped as %+v", stop)
	}
	g.dies(w)
	g.release(w, a)
	if _, err := g.s.ReadJob(g.ctx, "s1", job); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	if _, err := g.s.RemoveJob(g.ctx, "s1", job, stream.Reason{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAnItemOfATokenIsFollowedOnce(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.withJobs("s1")
	items := stream.Items{"remux": {Of: "enc", Type: "enc", Each: "item"}}
	g.must(g.client.HSet(g.ctx, "stream:s1", "items", items.Encode()).Err())
	v := g.ran("s1", a)
	for range 2 {
		if open, err := g.s.TellItems(g.ctx, v, a.Incarnation, []string{"1.ts", "2.ts"}); err != nil || open != 2 {
			t.Errorf("%d are open, %v", open, err)
		}
	}
	for i := range 99 {
		var list []string
		for k := range 10 {
			list = append(list, fmt.Sprintf("%d-%d.ts", i, k))
		}
		_, err := g.s.TellItems(g.ctx, v, a.Incarnation, list)
		g.must(err)
	}
	late := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	if open, err := g.s.TellItems(g.ctx, v, a.Incarnation, late); !errors.Is(err, store.ErrFull) || open != 992 {
		t.Errorf("%d are open, %v", open, err)
	}
	g.release(v, a)
	if n := len(g.jobs("s1")); n != 992 {
		t.Errorf("with its end %d jobs are there: none comes after that", n)
	}
	if _, err := g.s.TellItems(g.ctx, v, a.Incarnation, late); !errors.Is(err, store.ErrStale) {
		t.Errorf("items after the end: %v", err)
	}
	g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: v, Untold: late, Copy: store.Copy{Items: items}}))
	if n := len(g.jobs("s1")); n != 1001 {
		t.Errorf("%d jobs are there, want those of the late items, too", n)
	}
}

// TestAnotherLifeOfTheStoreIsToldOfEnds: what is told of a stream that nobody announces any
// more makes its job, which runs, and then nothing of the stream is left.
func TestAnotherLifeOfTheStoreIsToldOfEnds(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, ended, job := g.waiting(jobItems)
	g.empty()
	g.memory = store.ReapMemory{}
	g.tick()
	g.must(g.register(a, "id-a", ""))
	end := store.End{
		Reservation: ended, Reason: stream.Because(stream.CodeEnded), Began: tookTen.Began, Ended: tookTen.Ended,
		Copy: store.Copy{Items: stream.Items{"upload": {Of: "enc", Type: "enc"}}, Fields: map[string]string{"title": "t", "source:url": "u"}, Vars: map[string]string{"dir": "/rec"}},
	}
	for range 2 {
		g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, end))
	}
	if got := g.oneJob("s1"); got != job {
		t.Fatalf("told, it is %s, and was %s", got, job)
	}
	v, err := g.s.ReadJob(g.ctx, "s1", job)
	g.must(err)
	if v.Only != "a" || v.Job.Of["dir"] != "/rec" || v.Job.Stream["title"] != "t" || v.Job.Source["url"] != "u" || v.Job.Of["ended"] != "1800000010" {
		t.Errorf("it knows %+v", v.Job)
	}
	if p := g.placeJob(job); p.Outcome != store.OnHold {
		t.Errorf("in a hold it is %+v", p)
	}
	g.beaten = 0
	g.pass(20*time.Second, a)
	w := g.begun(job, a)
	g.dies(w)
	_, err = g.s.Release(g.ctx, w, a.Incarnation, store.Release{Done: tookTen})
	g.must(err)
	if n, err := g.client.Exists(g.ctx, "stream:s1").Result(); err != nil || n != 0 {
		t.Errorf("its stream is still there: %d, %v", n, err)
	}
	if err := g.s.TellEnded(g.ctx, "a", "another", end); !errors.Is(err, store.ErrStale) {
		t.Errorf("another life is heard: %v", err)
	}
}

// TestWhatIsDoneDoesNotRunAgain: the store is emptied, and the host knows both ends.
func TestWhatIsDoneDoesNotRunAgain(t *testing.T) {
	t.Parallel()
	for _, doneFirst := range []bool{true, false} {
		g := newStage(t)
		a, ended, job := g.waiting(jobItems)
		v := g.begun(job, a)
		g.empty()
		g.memory = store.ReapMemory{}
		g.tick()
		g.must(g.register(a, "id-a", ""))
		items := stream.Items{"upload": {Of: "enc", Type: "enc"}}
		done := store.End{Reservation: v, Done: tookTen, Copy: store.Copy{Items: items}}
		end := store.End{Reservation: ended, Copy: store.Copy{Items: items}}
		if !doneFirst {
			done, end = end, done
		}
		g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, done))
		g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, end))
		if all := g.jobs("s1"); len(all) != 0 {
			t.Errorf("done first %v: %v is to run again", doneFirst, all)
		}
		if list, err := g.s.DoneJobs(g.ctx, 10); err != nil || len(list) != 1 {
			t.Errorf("results: %+v, %v", list, err)
		}
	}
}

// TestAJobThatRunsIsFoundAgain by an emptied store, from what its holder keeps.
func TestAJobThatRunsIsFoundAgain(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, _, job := g.waiting(jobItems)
	v := g.begun(job, a)
	before, err := g.s.ReadJob(g.ctx, "s1", job)
	g.must(err)
	g.empty()
	g.memory = store.ReapMemory{}
	g.tick()
	g.must(g.register(a, "id-a", ""))
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Items: stream.Items{"upload": {Of: "enc", Type: "enc"}}, Fields: before.Job.Fields(before.Only), Announcement: `{"chain":["enc"]}`, Source: store.ManualSource, Ran: true})
	g.must(err)
	if !got.Keep {
		t.Fatalf("asserted: %+v", got)
	}
	after, err := g.s.ReadJob(g.ctx, "s1", job)
	g.must(err)
	if fmt.Sprint(*after.Job) != fmt.Sprint(*before.Job) || after.Only != "a" || after.State != stream.Running || after.Token != v.Token || !after.Ran {
		t.Errorf("it is %+v, was %+v", *after.Job, *before.Job)
	}
	if n := g.client.HLen(g.ctx, "announced:manual").Val(); n != 0 {
		t.Error("a job announces its stream")
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if !r.Gone || r.Items["upload"].Of != "enc" {
		t.Errorf("its stream is %+v", r)
	}
}

// TestABoundJobRunsOnItsHostAlone, also while that takes nothing new.
func TestABoundJobRunsOnItsHostAlone(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, _, job := g.waiting(jobItems)
	g.host("b")
	for _, tt := range []struct {
		name     string
		set      func()
		unset    func()
		nowPlace bool
	}{
		{"its host is full", func() { g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "0").Err()) }, func() { g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "2").Err()) }, false},
		{"its queue is paused", func() { g.must(g.client.HSet(g.ctx, "service:enc:a", "paused", "1").Err()) }, func() { g.must(g.client.HDel(g.ctx, "service:enc:a", "paused").Err()) }, false},
		{"its host offers it no more", func() { g.must(g.client.HSet(g.ctx, "service:enc:a", "withdrawn", "1").Err()) }, func() { g.must(g.client.HDel(g.ctx, "service:enc:a", "withdrawn").Err()) }, false},
		{"its host is drained", func() { g.must(g.s.Cordon(g.ctx, "a", stream.Draining)) }, func() {}, true},
	} {
		tt.set()
		p := g.placeJob(job)
		if (p.Outcome == store.Placed) != tt.nowPlace || p.Outcome == store.Placed && p.Host != a.Host {
			t.Errorf("%s: %+v", tt.name, p)
		}
		tt.unset()
	}
	if n := g.client.ZScore(g.ctx, "load:enc:"+stream.Class{}.ID(), "a"); n.Err() == nil {
		t.Error("a host that is drained is offered to slots since it took a job")
	}
}

// TestNoJobTakesWhatASlotWaitsFor: neither a place nor what is shared, unless the caller
// says that he has looked for whom that is.
func TestNoJobTakesWhatASlotWaitsFor(t *testing.T) {
	t.Parallel()
	for _, bound := range []bool{true, false} {
		g := newStage(t)
		items := jobItems
		if !bound {
			items = `{"upload":{"of":"enc","type":"enc","host":"any"}}`
		}
		_, _, job := g.waiting(items)
		g.want("s2") // enc waits
		if p := g.placeJob(job); p.Outcome != store.Full {
			t.Errorf("bound %v: beside a slot in line it is %+v", bound, p)
		}
		if p := g.placeJob(job, "other", "enc"); p.Outcome != store.Placed {
			t.Errorf("bound %v: the slot does not wait for this, and it is %+v", bound, p)
		}
	}
}

// TestJobsHaveTheirShareOfAPool and no more, however much of it is free.
func TestJobsHaveTheirShareOfAPool(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int{"": 2, `{"gpu":1000}`: 1, `{"gpu":3000}`: 3} {
		g := newStage(t).open()
		a := g.host("a")
		g.withJobs("s1")
		v := g.ran("s1", a)
		g.must(g.client.HSet(g.ctx, "stream:s1", "items", (stream.Items{"remux": {Of: "enc", Type: "enc", Each: "item"}}).Encode()).Err())
		_, err := g.s.TellItems(g.ctx, v, a.Incarnation, []string{"1", "2", "3", "4", "5"})
		g.must(err)
		g.must(g.client.HSet(g.ctx, "host:a", "pools", `{"gpu":5000}`, "pool_jobs", said).Err())
		g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "9", "uses", `{"gpu":1000}`).Err())
		placed := 0
		for _, job := range g.jobs("s1") {
			if g.placeJob(job).Outcome == store.Placed {
				placed++
			}
		}
		if placed != want {
			t.Errorf("of a pool of 5 with the word %q jobs have %d, want %d", said, placed, want)
		}
	}
}
