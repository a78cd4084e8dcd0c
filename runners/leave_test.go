package runners_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

func TestALeavingHostHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	la := a.run(a.options(a.shell("work", story)))
	for _, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, nil, "work")
	}
	a.awaitCount("start", 3)
	b.run(b.options(b.shell("work", story)))
	la.leave()
	b.awaitCount("start", 3)
	// Nothing waited for the end of a lease.
	events, err := w.store.LastEvents(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Event == "reaped" {
			t.Errorf("%s %s was taken back, not handed over", e.Stream, e.Slot)
		}
	}
	if a.alive() != 0 || a.count("stop") != 3 {
		t.Errorf("%d live and %d were stopped in order; want 0 and 3", a.alive(), a.count("stop"))
	}
	hosts, err := w.store.Hosts(context.Background())
	if err != nil || hosts[0].State != stream.Down || hosts[0].Deadline != 0 {
		t.Errorf("the host that left: %+v, %v", hosts, err)
	}
}

func TestASecondLeaveDoesNotWaitForTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", `trap "" TERM; echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; while :; do sleep 0.05; done`, func(s *plan.Service) {
		s.Exec.Stop.Grace = time.Minute
	})))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	l.Leave()
	still(t, beat, "it did not wait for the child", func() bool { return h.alive() == 1 })
	l.leave()
	if h.alive() != 0 || w.used("speedy") != 0 {
		t.Errorf("%d live, %d used", h.alive(), w.used("speedy"))
	}
}

func TestALeaveIsNotCalledOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", `trap 'until [ -e "$NOTES/go" ]; do sleep 0.05; done; exit 0' TERM; echo "start $(date +%s%N) $STREAM_API_STREAM $STREAM_API_TOKEN $$" >> "$NOTES/log"; while :; do sleep 0.05; done`, func(s *plan.Service) {
		s.Exec.Stop.Grace = time.Minute
	})))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	l.Leave()
	realtest.Await(t, time.Minute, "it does not leave", func() bool { return strings.Contains(h.log.String(), "leaving: no more work") })
	l.cancel()
	still(t, 2*beat, "it was called off", func() bool {
		select {
		case <-l.done:
			return false
		default:
			return h.alive() == 1
		}
	})
	if err := os.WriteFile(filepath.Join(h.notes, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.wait(); err != nil || h.alive() != 0 || w.used("speedy") != 0 {
		t.Errorf("it ended with %v, %d live, %d used", err, h.alive(), w.used("speedy"))
	}
}

func TestALifeThatLeavesAtOnceTakesTheOneBeforeAlong(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{0, 1} {
		w := newWorld(t)
		h := w.host("speedy")
		l := h.run(h.options(h.shell("work", story)))
		if slots > 0 {
			w.announce("s1", nil, "work")
			h.awaitCount("start", 1)
		}
		l.detach()
		l = h.begin(h.options(h.shell("work", story)))
		l.leave()
		hosts, err := w.store.Hosts(context.Background())
		if err != nil || hosts[0].State != stream.Down || hosts[0].Deadline != 0 || h.alive() != 0 {
			t.Errorf("with %d slots: the host that left: %+v, %v, %d live", slots, hosts, err, h.alive())
		}
	}
}

func TestADetachFeedsWhatRunsWhileAStartIsFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	o := h.options(h.shell("work", story))
	// The program takes longer to start than any deadline lasts, once told so.
	program := filepath.Join(h.notes, "program")
	script := fmt.Sprintf("#!/bin/sh\nif [ -e %[1]s/slow ]; then touch %[1]s/begun; sleep 4; fi\nexec %[2]s \"$@\"\n", h.notes, o.Self)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Self = program
	l := h.run(o)
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	if err := os.WriteFile(filepath.Join(h.notes, "slow"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.announce("s2", nil, "work")
	realtest.Await(t, time.Minute, "the second does not start", func() bool {
		_, err := os.Stat(filepath.Join(h.notes, "begun"))
		return err == nil
	})
	l.detach()
	h.run(h.options(h.shell("work", story)))
	still(t, ttl, "the first child ended", func() bool { return h.count("stop") == 0 && lives(h.marks()[0].pid) })
}

func TestLeavingWithoutTheStoreEndsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	w.redis.Kill()
	l.leave()
	if h.alive() != 0 {
		t.Error("the child lives on")
	}
	w.redis.Start()
	// The next life gives back what the last one could not.
	h.run(h.options(h.shell("work", story)))
	still(t, ttl, "a spent token started again", func() bool {
		seen := map[string]int{}
		for _, m := range h.marks() {
			if m.what == "start" {
				seen[m.token]++
			}
		}
		return len(seen) == h.count("start")
	})
}

func TestAnUnreleasedSlotIsGivenBackByTheNextLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	cut := newCut(t, w.redis.Addr)
	l := h.beginAt(cut.path, h.options(h.shell("work", story)))
	<-l.Registered()
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	old := w.awaitRunning("s1", "work", "speedy").Token
	cut.off()
	l.leave() // the store is not told
	h.run(h.options(h.shell("work", story)))
	s := w.awaitSlot("s1", "work", "is not placed anew", func(s store.InstanceRecord) bool { return s.State == stream.Running && s.Token != old })
	h.awaitCount("start", 2)
	if m := h.marks(); m[len(m)-1].token != s.Token {
		t.Errorf("it runs under %s; want %s", m[len(m)-1].token, s.Token)
	}
}

func TestASecondRunnerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", story)))
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)

	same := h.begin(h.options(h.shell("work", story)))
	var refused *runners.RefusedError
	if err := same.wait(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "another runner lives in the state directory") {
		t.Errorf("in the same state directory: %v", err)
	}
	twin := w.host("speedy")
	other := twin.begin(twin.options(twin.shell("work", story)))
	if err := other.wait(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "already run elsewhere") {
		t.Errorf("under the same name: %v", err)
	}
	still(t, 2*beat, "the first was harmed", func() bool { return h.alive() == 1 })
	l.leave()
	third := twin.run(twin.options(twin.shell("work", story)))
	twin.awaitCount("start", 1)
	third.leave()
}

func TestARunnerWhoseNameIsTakenEndsItsChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h, twin := w.host("speedy"), w.host("speedy")
	o := observe(t, h, twin)
	cut := newCut(t, w.redis.Addr)
	l := h.beginAt(cut.path, h.options(h.shell("work", story, func(s *plan.Service) { s.OnStoreLoss = plan.Stop })))
	<-l.Registered()
	w.announce("s1", nil, "work")
	h.awaitCount("start", 1)
	cut.off()
	realtest.Await(t, time.Minute, "the host is not reaped", func() bool {
		hosts, err := w.store.Hosts(context.Background())
		return err == nil && hosts[0].Deadline == 0
	})
	twin.run(twin.options(twin.shell("work", story)))
	twin.awaitCount("start", 1)
	cut.on()
	if err := l.wait(); !errors.Is(err, runners.ErrReplaced) {
		t.Errorf("the first ended with %v", err)
	}
	o.check(t, h, twin)
}

func TestAMovedSlotIsGivenUpHereAndRunsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	a.run(a.options(a.shell("work", story)))
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	b.run(b.options(b.shell("work", story)))
	o := observe(t, a, b)
	if err := w.client.HSet(context.Background(), "stream:s1:work.1", "move", "*").Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.client.HIncrBy(context.Background(), "host:a", "rev", 1).Err(); err != nil {
		t.Fatal(err)
	}
	w.awaitRunning("s1", "work", "b")
	b.awaitCount("start", 1)
	if a.count("stop") != 1 {
		t.Error("it was not stopped in order")
	}
	o.check(t, a, b)
}

func TestAHandoversSuccessorLeadsAndKeepsItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	a.run(a.options(a.shell("work", story)))
	w.announce("s1", nil, "work")
	a.awaitCount("start", 1)
	first := w.awaitRunning("s1", "work", "a")
	lb := b.run(b.options(b.shell("work", `echo "$STREAM_API_SLOT $STREAM_API_INSTANCE" > "$NOTES/slot"; `+story)))
	ctx := context.Background()
	m, err := w.store.Move(ctx, "s1", "work", "b", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Succeed(ctx, m); err != nil {
		t.Fatal(err)
	}
	next := w.awaitSlot("s1", "work.2", "is not said to be up", func(s store.InstanceRecord) bool { return s.Up })
	b.awaitCount("start", 1)
	if a.alive() != 1 || b.alive() != 1 {
		t.Errorf("before the handover %d and %d live; want one each", a.alive(), b.alive())
	}
	if _, err := w.store.Lead(ctx, first.Reservation, next.Token); err != nil {
		t.Fatal(err)
	}
	a.awaitCount("stop", 1)
	realtest.Await(t, time.Minute, "the old one is not forgotten", func() bool { return w.instance("s1", "work.1").State == "" && w.used("a") == 0 })
	if s := w.instance("s1", "work"); s.Token != next.Token || s.Host != "b" || s.State != stream.Running {
		t.Errorf("after the handover: %+v", s)
	}
	if slots := lb.Slots(); len(slots) != 1 || slots[0].Instance != "work.2" || b.count("start") != 1 || b.note("slot") != "work work.2" {
		t.Errorf("the successor is here as %+v, started %d times as %s", slots, b.count("start"), b.note("slot"))
	}
	// It is stopped and adopted like any other.
	lb.detach()
	lb = b.run(b.options(b.shell("work", story)))
	w.retract("s1")
	b.awaitCount("stop", 1)
	realtest.Await(t, time.Minute, "the capacity is not free", func() bool { return w.used("b") == 0 })
	lb.leave()
}
