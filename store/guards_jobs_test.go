package store_test

import (
	"fmt"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// jobGuards keep each end of what ran followed by one job, and jobs behind slots.
var jobGuards = []guard{
	{"release makes what comes after", []cut{{"release", "ended(key, instance, host, token, reason, since)\ngive_back", "give_back"}}, jobAfterRelease},
	{"who stays has it made, too", []cut{{"release", "    ended(key, instance, host, token, reason, since)\n    local fresh", "    local fresh"}}, jobAfterStay},
	{"reap makes what comes after", []cut{{"reap", "ended(key, instance, host, s[3], because('host-down', 'host', host), s[5], heard)", ""}}, jobAfterReap},
	{"nothing comes after what never ran", []cut{{"release", "if not ran or is_job(instance) then return end", "if is_job(instance) then return end"}}, jobAfterNothing},
	{"a job is made once", []cut{{"ended", "== 0 or sound(at) then return false end", "== 2 or sound(at) then return false end"}}, endToldAfterItsJob},
	{"what is done is not made anew", []cut{{"ended", "  redis.call('ZADD', ns .. 'jobs:made', 'NX', int(now), id_of(instance))\n", ""}}, doneToldFirst},
	{"a token that is taken back unmakes its job", []cut{{"assert", "if not job then unmake(key, slot, token) end", ""}}, jobOfATokenTakenBack},
	{"want unwants no job", []cut{{"want", "if instance and is_job(instance) then", "if false then"}}, jobOfAStreamThatIsGone},
	{"no job takes what a slot of its type waits for", []cut{{"place", "if not seen(stype) then return false end", ""}}, jobBesideASlot},
	{"no job takes more than the share of jobs", []cut{{"place", "return not view or shares(stype, host, view)", "return true"}}, jobsBeyondTheirShare},
	{"no job goes where its service is no more", []cut{{"place", " or bound(service, 'up') ~= 'up' then return nil end", " then return nil end"}}, jobOfAWithdrawnService},
	{"a host that is drained is not indexed by what waits for its files", []cut{{"place", "  v[3] = is\n", ""}}, jobOnADrainedHost},
	{"what failed stays out of line", []cut{{"mend", "local rests = s[1] == 'failed' and is_job(instance) and not held", "local rests = false"}}, failedAndMended},
}

// wantJobs wants that a stream has so many jobs.
func (g *stage) wantJobs(n int) error {
	g.t.Helper()
	if all := g.jobs("s1"); len(all) != n {
		return fmt.Errorf("J1: there are the jobs %v, want %d", all, n)
	}
	return nil
}

func (g *stage) ranWithJobs() (store.Holder, store.Reservation) {
	g.t.Helper()
	g.open()
	a := g.host("a")
	g.withJobs("s1")
	v := g.ran("s1", a)
	g.dies(v)
	return a, v
}

func jobAfterRelease(g *stage) error {
	a, v := g.ranWithJobs()
	g.release(v, a)
	return g.wantJobs(1)
}

func jobAfterStay(g *stage) error {
	a, v := g.ranWithJobs()
	_, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), OnlyIfRoom: true})
	g.must(err)
	return g.wantJobs(1)
}

func jobAfterReap(g *stage) error {
	g.ranWithJobs()
	g.pass(12*time.Second, g.host("b"))
	return g.wantJobs(1)
}

func jobAfterNothing(g *stage) error {
	g.open()
	a := g.host("a")
	g.withJobs("s1")
	v := g.given("s1", "a")
	_, _ = g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})
	return g.wantJobs(0)
}

var uploads = store.Copy{Items: stream.Items{"upload": {Of: "enc", Type: "enc"}}}

// A host whose answer was lost tells its end when the job is done already.
func endToldAfterItsJob(g *stage) error {
	a, v, job := g.waiting(jobItems)
	w := g.begun(job, a)
	_, err := g.s.Release(g.ctx, w, a.Incarnation, store.Release{Done: tookTen})
	g.must(err)
	g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: v, Copy: uploads}))
	return g.wantJobs(0)
}

// The store was emptied.
func doneToldFirst(g *stage) error {
	a, v, job := g.waiting(jobItems)
	w := g.begun(job, a)
	g.empty()
	g.memory = store.ReapMemory{}
	g.tick()
	g.must(g.register(a, "id-a", ""))
	g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: w, Copy: uploads, Done: tookTen}))
	g.must(g.s.TellEnded(g.ctx, "a", a.Incarnation, store.End{Reservation: v, Copy: uploads}))
	return g.wantJobs(0)
}

// A host that was reaped comes back with its child.
func jobOfATokenTakenBack(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.withJobs("s1")
	v := g.ran("s1", a)
	g.pass(12*time.Second, b)
	g.must(g.register(store.Holder{Host: "a", Incarnation: "a-2"}, "id-a", "a-1"))
	_, err := g.s.Assert(g.ctx, v, "a-2", store.Copy{Chain: []string{"enc"}, Number: 1, Ran: true})
	g.must(err)
	return g.wantJobs(0)
}

func jobOfAStreamThatIsGone(g *stage) error {
	g.waiting(jobItems)
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	wantMarked(g.t, g.s, "s1", false)
	return g.wantJobs(1)
}

func jobBesideASlot(g *stage) error {
	_, _, job := g.waiting(jobItems)
	g.want("s2")
	if p := g.placeJob(job); p.Outcome == store.Placed {
		return fmt.Errorf("live first: %s took room that s2 waits for", job)
	}
	return nil
}

func jobsBeyondTheirShare(g *stage) error {
	_, _, job := g.waiting(jobItems)
	g.must(g.client.HSet(g.ctx, "host:a", "pools", `{"gpu":2000}`).Err())
	g.must(g.client.HSet(g.ctx, "service:enc:a", "uses", `{"gpu":2000}`).Err())
	if p := g.placeJob(job); p.Outcome == store.Placed {
		return fmt.Errorf("a job took a whole pool")
	}
	return nil
}

func jobOfAWithdrawnService(g *stage) error {
	_, _, job := g.waiting(jobItems)
	g.must(g.client.HSet(g.ctx, "service:enc:a", "withdrawn", "1").Err())
	if p := g.placeJob(job); p.Outcome == store.Placed {
		return fmt.Errorf("%s is given to a service that is offered no more", job)
	}
	return nil
}

func jobOnADrainedHost(g *stage) error {
	_, _, job := g.waiting(jobItems)
	g.must(g.s.Cordon(g.ctx, "a", stream.Draining))
	if p := g.placeJob(job); p.Outcome != store.Placed {
		return fmt.Errorf("its host does not take it: %+v", p)
	}
	if n := g.client.ZCard(g.ctx, "load:enc:"+stream.Class{}.ID()).Val(); n > 0 {
		return fmt.Errorf("I4: a drained host is offered to slots")
	}
	return nil
}

func failedAndMended(g *stage) error {
	a, _, job := g.waiting(jobItems)
	w := g.begun(job, a)
	_, err := g.s.Release(g.ctx, w, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), Failed: true})
	g.must(err)
	_, err = g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	if v, err := g.s.ReadJob(g.ctx, "s1", job); err != nil || v.State != stream.JobFailed {
		return fmt.Errorf("what failed is %s again, %w", v.State, err)
	}
	return nil
}
