package runners_test

import (
	"context"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// outage is longer than any lease and what is given beyond it.
const outage = 2*ttl + 2*beat

func TestKeptChildrenOutliveTheStoresAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story), plan.Service{Type: "dist", StreamVars: map[string]stream.Template{"url": template(t, "http://x")}}))
	for _, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, map[string]string{"lang": "de"}, "work", "dist")
		w.awaitRunning(key, "dist", "speedy")
	}
	h.awaitCount("start", 3)
	tokens := map[string]string{"s1": w.instance("s1", "work").Token, "s2": w.instance("s2", "work").Token, "s3": w.instance("s3", "work").Token}

	w.redis.Kill()
	still(t, outage, "a child ended while the store was away", func() bool { return h.alive() == 3 && h.count("stop") == 0 })
	w.redis.Start() // without persistence: empty

	for key, token := range tokens {
		s := w.awaitRunning(key, "work", "speedy")
		if s.Token != token {
			t.Errorf("%s runs under %s; want %s, as before", key, s.Token, token)
		}
		if d := w.awaitRunning(key, "dist", "speedy"); d.Vars["url"] != "http://x" {
			t.Errorf("%s dist publishes %v after the loss", key, d.Vars)
		}
		rec, err := w.store.Record(context.Background(), key)
		if err != nil || rec.Vars["lang"] != "de" || rec.Origin["url"] != "http://ingest" {
			t.Errorf("%s is restored as %+v, %v", key, rec, err)
		}
	}
	if h.count("start") != 3 || h.alive() != 3 {
		t.Errorf("%d starts, %d live; want the same three children", h.count("start"), h.alive())
	}
	w.announce("s4", nil, "work")
	h.awaitCount("start", 4)
	if w.used("speedy") != 7 {
		t.Errorf("%d used; want 7", w.used("speedy"))
	}
	l.leave()
}

func TestAnEmptiedStoreIsToldWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	token := w.awaitRunning("s1", "work", "speedy").Token
	if err := w.client.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	w.awaitSlot("s1", "work", "is not told", func(s store.InstanceRecord) bool { return s.State == stream.Running && s.Token == token })
	still(t, ttl+2*beat, "the child did not go on", func() bool { return h.alive() == 1 && h.count("start") == 1 })
	realtest.Await(t, time.Minute, "the announcement is not restored", func() bool {
		set, err := w.store.Announced(context.Background(), store.ManualSource)
		return err == nil && set.Entries["s1"] != ""
	})
}

func TestStoppedChildrenEndBeforeTheirLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	o := h.options(h.shell("work", story))
	o.Services[0].OnStoreLoss = plan.Stop
	h.run(o)
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	// The lease in the store ends no earlier than this.
	lease := time.Now().Add(ttl)
	w.redis.Freeze()
	realtest.Await(t, ttl, "the child lives on", func() bool { return h.alive() == 0 })
	if late := time.Since(lease); late > 0 {
		t.Errorf("it ended %v after the lease could be over", late)
	}
	w.redis.Thaw()
	h.awaitCount("start", 2)
	realtest.Await(t, time.Minute, "not one runs", func() bool { return h.alive() == 1 })
}

func TestANewLifeWithoutTheStoreKeepsItsChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story), h.shell("strict", story, func(s *plan.Service) { s.OnStoreLoss = plan.Stop })))
	w.announce("s1", nil, "work")
	w.announce("s2", nil, "strict")
	h.awaitCount("start", 2)
	w.redis.Kill()
	l.detach()
	l = h.begin(h.options(h.shell("work", story), h.shell("strict", story, func(s *plan.Service) { s.OnStoreLoss = plan.Stop })))
	realtest.Await(t, outage, "the strict child goes on without the store", func() bool { return h.alive() == 1 })
	still(t, outage, "the kept child ended", func() bool { return h.alive() == 1 && h.count("start") == 2 })
	w.redis.Start()
	token := ""
	for _, m := range h.marks() {
		if m.stream == "s1" {
			token = m.token
		}
	}
	w.awaitSlot("s1", "work", "is not told", func(s store.InstanceRecord) bool { return s.Token == token && s.State == stream.Running })
	select {
	case <-l.Registered():
	case <-time.After(20 * time.Second):
		t.Error("it is not registered")
	}
	if h.count("start") != 2 {
		t.Errorf("%d starts; want 2", h.count("start"))
	}
}

func TestAHostThatWasCutOffEndsWhatItLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	// A socket that can be taken away cuts one host off while the others
	// reach the store.
	cut := newCut(t, w.redis.Addr)
	o := a.options(a.shell("work", story))
	la := a.beginAt(cut.path, o)
	<-la.Registered()
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	b.run(b.options(b.shell("work", story)))
	cut.off()
	b.awaitCount("start", 1)
	if a.alive() != 1 {
		t.Error("the kept child ended while its host was cut off")
	}
	cut.on()
	realtest.Await(t, time.Minute, "both run on", func() bool { return a.alive() == 0 })
	if w.awaitRunning("s1", "work", "b").Host != "b" || b.alive() != 1 {
		t.Error("b does not have it")
	}
}
