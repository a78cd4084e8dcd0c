package runners_test

import (
	"context"
	"testing"

	"stream-api/runners/plan"
	"stream-api/store"
)

func TestAnOperatorsRestartStartsTheChildAnewOnceWithWhatItShouldHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	l := h.run(h.options(h.shell("work", telling, valued(t, "old-${stream:lang}"))))
	w.announce("s1", map[string]string{"lang": "de"}, "work")
	h.awaitValues("old-de")
	token := w.awaitRunning("s1", "work", "speedy").Token
	l.detach()
	h.run(h.options(h.shell("work", telling, valued(t, "new-${stream:lang}"))))
	w.awaitSlot("s1", "work", "is not shown as stale", func(s store.InstanceRecord) bool { return s.Stale && s.Up })

	asked, err := w.store.Restart(context.Background(), "s1", "work", true)
	if err != nil || !asked {
		t.Fatalf("restart of a stale slot: %v, %v", asked, err)
	}
	h.awaitValues("old-de new-de")
	s := w.awaitSlot("s1", "work", "the restart is not over", func(s store.InstanceRecord) bool { return s.Restart == 0 && s.Up && !s.Stale })
	if s.Token != token || s.Restarts != 1 {
		t.Errorf("after the restart it is %+v; want token %s, restarted once", s, token)
	}
	if marks := h.marks(); len(marks) != 3 || marks[1].what != "stop" {
		t.Errorf("the story is %+v; want start, stop, start: a restart is graceful", marks)
	}
	still(t, 4*beat, "one wish restarted it twice", func() bool { return h.count("start") == 2 })

	asked, err = w.store.Restart(context.Background(), "s1", "work", true)
	if err != nil || asked {
		t.Errorf("restart of a slot that is not stale any more: %v, %v", asked, err)
	}
}

func TestARestartGoesOnWithoutAValueThatIsMissingNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(h.shell("work", telling, valued(t, "${stream:lang}"))))
	w.announce("s1", map[string]string{"lang": "de"}, "work")
	h.awaitValues("de")
	w.awaitSlot("s1", "work", "is not up", func(s store.InstanceRecord) bool { return s.Up })
	if err := w.redis.Client().HDel(context.Background(), "stream:s1", "lang").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Restart(context.Background(), "s1", "work", false); err != nil {
		t.Fatal(err)
	}
	h.awaitValues("de de")
	w.awaitSlot("s1", "work", "the restart is not over", func(s store.InstanceRecord) bool { return s.Restart == 0 && s.Up })
}

func TestAStaticSlotHasNothingToRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	h.run(h.options(plan.Service{Type: "dist"}))
	w.announce("s1", nil, "dist")
	w.awaitSlot("s1", "dist", "is not up", func(s store.InstanceRecord) bool { return s.Up })
	if _, err := w.store.Restart(context.Background(), "s1", "dist", false); err != nil {
		t.Fatal(err)
	}
	s := w.awaitSlot("s1", "dist", "the wish stays", func(s store.InstanceRecord) bool { return s.Restart == 0 })
	if !s.Up {
		t.Error("a static slot is not up any more")
	}
}
