package runners_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

func TestAKilledSupervisorsSlotIsPlacedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	old := w.awaitRunning("s1", "work", "speedy").Token
	o := observe(t, h)
	found, err := supervisor.List(filepath.Join(h.state, "s"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d supervisors, %v", len(found), err)
	}
	if err := syscall.Kill(found[0].State.Supervisor.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := w.awaitSlot("s1", "work", "is not placed anew", func(s store.InstanceRecord) bool { return s.State == stream.Running && s.Token != old })
	h.awaitCount("start", 2)
	if m := h.marks(); m[1].token != s.Token {
		t.Errorf("the second runs under %s; want %s", m[1].token, s.Token)
	}
	realtest.Await(t, time.Minute, "not one lives", func() bool { return h.alive() == 1 })
	o.check(t, h)
}

func TestALostMemoEndsItsChildBeforeTheSlotIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	o := observe(t, h)
	l.detach()
	memos, err := filepath.Glob(filepath.Join(h.state, "s", "*.json"))
	if err != nil || len(memos) != 1 {
		t.Fatalf("memos: %v, %v", memos, err)
	}
	if err := os.WriteFile(memos[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(h.options(h.shell("work", story)))
	h.awaitCount("start", 2)
	realtest.Await(t, time.Minute, "not one lives", func() bool { return h.alive() == 1 })
	o.check(t, h)
}

func TestUnderAnotherNameNothingIsAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	o := observe(t, h)
	l.detach()
	options := h.options(h.shell("work", story))
	options.Host = "other"
	h.run(options)
	realtest.Await(t, time.Minute, "the old child lives on", func() bool { return h.alive() == 0 || h.count("start") == 2 })
	w.awaitRunning("s1", "work", "other")
	h.awaitCount("start", 2)
	o.check(t, h)
}

func TestAStaticSlotIsAdoptedOrGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	dist := staticService(t, "dist", "http://one")
	l := h.run(h.options(dist))
	w.announce("s1", nil, "dist")
	token := w.awaitSlot("s1", "dist", "does not publish", func(s store.InstanceRecord) bool { return s.Vars["url"] == "http://one" }).Token
	l.detach()
	l = h.run(h.options(staticService(t, "dist", "http://two")))
	s := w.awaitSlot("s1", "dist", "does not publish what the new file says", func(s store.InstanceRecord) bool { return s.Vars["url"] == "http://two" })
	if s.Token != token || !s.Up {
		t.Errorf("it was not adopted: %+v", s)
	}
	l.detach()
	h.run(h.options(h.shell("work", story))) // offers no dist any more
	realtest.Await(t, time.Minute, "what is not offered any more is kept", func() bool { return w.instance("s1", "dist").State == stream.Pending })
}

func TestAStoreSetBackToAnEarlierLifeIsToldOfThisOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	token := w.awaitRunning("s1", "work", "speedy").Token
	before := w.incarnation("speedy")
	if err := w.client.HSet(t.Context(), "host:speedy", "incarnation", "1700000000000-EARLIER").Err(); err != nil {
		t.Fatal(err)
	}
	realtest.Await(t, time.Minute, "it does not register again", func() bool { return w.incarnation("speedy") == before })
	still(t, ttl, "the child did not go on", func() bool { return h.alive() == 1 && h.count("start") == 1 })
	if s := w.instance("s1", "work"); s.Token != token || s.State != stream.Running {
		t.Errorf("the slot is %+v", s)
	}
}

func TestALaterLifeElsewhereEndsThisOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	if err := w.client.HSet(t.Context(), "host:speedy", "incarnation", "9900000000000-LATER").Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.wait(); !errors.Is(err, runners.ErrReplaced) {
		t.Errorf("it ended with %v", err)
	}
	if h.alive() != 0 {
		t.Error("its child lives on")
	}
}
