package store_test

import (
	"slices"
	"testing"

	"stream-api/store"
)

func TestAnOperatorsWordsAreToldWithoutTheirValues(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.want("s1")
	g.must(g.s.Override(g.ctx, "s1", map[string]string{"var:password": "hunter2", "slot:thumb": store.SwitchOff, "slot:enc": "", "held": "1"}))
	events, err := g.s.LastEvents(g.ctx, 1)
	g.must(err)
	want := "held, slot enc taken back, slot thumb off, var password"
	if e := events[0]; e.Event != "override" || e.Stream != "s1" || e.Reason != want || e.Actor != "test" {
		t.Errorf("told %+v; want %q", e, want)
	}
	d, err := g.s.Declared(g.ctx, "s1")
	g.must(err)
	if !d.Overrides.Held || d.Overrides.Vars["password"] != "hunter2" || !slices.Equal(d.Overrides.Switched(false), []string{"thumb"}) {
		t.Errorf("said %+v", d.Overrides)
	}
	if marks, err := g.s.Dirty(g.ctx, 9); err != nil || len(marks) != 1 || marks[0].Key != "s1" {
		t.Errorf("to be looked at: %+v, %v", marks, err)
	}
}

// What a hand wrote that is no word on a slot changes no chain.
func TestNonsenseSwitchesNoSlot(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.want("s1")
	g.must(g.client.HSet(g.ctx, "override:s1", "slot:enc", "0", "slot:a b", "on", "slot:", "off", "slot", "off", "slot:x|y", "on", "slot:rec", "on").Err())
	d, err := g.s.Declared(g.ctx, "s1")
	g.must(err)
	if got := d.Overrides.Switch([]string{"enc"}); !slices.Equal(got, []string{"enc", "rec"}) {
		t.Errorf("the chain is %v", got)
	}
	if got := d.Overrides.Unswitch([]string{"enc", "rec"}); !slices.Equal(got, []string{"enc"}) {
		t.Errorf("without the words it is %v", got)
	}
}
