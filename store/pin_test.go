package store_test

import (
	"errors"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// What is pinned has nowhere to go but to its pin: nothing that asks for
// another host stops it.
func TestWhatIsPinnedLeavesOnlyForItsPin(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, _, _ := g.host("a"), g.host("b"), g.host("c")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	classes := []string{stream.Class{}.ID()}
	pin := func() string {
		t.Helper()
		declared, err := g.s.Declared(g.ctx, "s1")
		g.must(err)
		return declared.Overrides.Pins["enc"]
	}
	evicts := func(target string) bool {
		t.Helper()
		ok, err := g.s.Evict(g.ctx, store.Move{Reservation: v, Target: target}, false, classes)
		g.must(err)
		return ok == store.Asked
	}
	if _, moving, err := g.s.Pin(g.ctx, "s1", "enc", "a", 0); err != nil || moving {
		t.Fatalf("pin to where it is: moving %v, %v", moving, err)
	}
	if v, err := g.s.StreamStatus(g.ctx, "s1"); err != nil || v.Slots[0].Pin != "a" {
		t.Errorf("status: %+v, %v; want the pin in it", v, err)
	}
	if evicts("*") || evicts("b") {
		t.Error("it leaves its pin for another host")
	}
	for _, target := range []string{"", "b"} {
		var refused *store.MoveError
		if _, err := g.s.Move(g.ctx, "s1", "enc", target, 0); !errors.As(err, &refused) || !refused.Refused() {
			t.Errorf("move to %q: %v; want it refused", target, err)
		}
	}
	g.dies(v)
	got, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5"), Avoid: time.Minute, OnlyIfRoom: true, Classes: classes})
	g.must(err)
	if got != store.Stays {
		t.Errorf("given up with its pin at hand: %v", got)
	}
	v = g.instance("s1").Reservation
	g.runs(v, a)

	if _, _, err := g.s.Pin(g.ctx, "s1", "enc", "nohost", 0); err == nil {
		t.Error("pinned to a host that offers nothing of the kind")
	}
	if pin() != "a" {
		t.Errorf("pinned to %q by a word that was refused", pin())
	}
	if _, moving, err := g.s.Pin(g.ctx, "s1", "enc", "b", 0); err != nil || !moving {
		t.Fatalf("pin elsewhere: moving %v, %v", moving, err)
	}
	if evicts("c") || !evicts("*") {
		t.Error("it does not leave for its pin, or for another host")
	}
	g.must(g.s.Unpin(g.ctx, "s1", "enc"))
	if pin() != "" {
		t.Errorf("pinned to %q after unpin", pin())
	}
}
