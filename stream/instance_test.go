package stream

import (
	"strings"
	"testing"
)

func TestInstancesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Instance{
		"dist.1":                       {Slot: "dist", Number: 1},
		"fanout_h264.12":               {Slot: "fanout_h264", Number: 12},
		"relay@ber.example.org":        {Slot: "relay", Host: "ber.example.org"},
		"relay@2001:db8::1":            {Slot: "relay", Host: "2001:db8::1"},
		"upload~3f9ac0012345abcd":      {Slot: "upload", Job: "3f9ac0012345abcd"},
		strings.Repeat("a", 32) + ".1": {Slot: strings.Repeat("a", 32), Number: 1},
	} {
		got, err := ParseInstance(name)
		if err != nil || got != want {
			t.Errorf("%s reads as %+v, %v", name, got, err)
		}
		if got.String() != name {
			t.Errorf("%s is written %s", name, got)
		}
		if SlotOf(name) != want.Slot || CheckSlotOrInstance(name) != nil || ShownAs(name, true) != want.Slot || ShownAs(name, false) != name {
			t.Errorf("%s is not the instance of its slot", name)
		}
	}
}

func TestWhatIsNoInstanceIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "dist", "dist.", "dist.0", "dist.01", "dist.+1", "dist.-1", "dist.1x", "dist.1.2", "dist.10000000000", "Dist.1", ".1", "source.1",
		"dist@", "dist@Ber", "dist@a/b", "dist~next", "dist~3f9ac0012345abc", "dist~3F9AC0012345ABCD", "dist~3f9ac0012345abcd.1", "dist|1", "dist.1|x",
		strings.Repeat("a", 33) + ".1",
	} {
		if i, err := ParseInstance(bad); err == nil {
			t.Errorf("%q reads as %+v", bad, i)
		}
		if SlotOf(bad) != bad {
			t.Errorf("the slot of %q is %q", bad, SlotOf(bad))
		}
	}
}

func FuzzInstancesHaveOneForm(f *testing.F) {
	for _, s := range []string{"dist.1", "relay@a.b", "relay@::1", "upload~0123456789abcdef", "dist", "a.1@b", "a~b.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseInstance(s)
		if err != nil {
			return
		}
		if i.String() != s || CheckType(i.Slot) != nil || strings.ContainsAny(s, "|/ \n") {
			t.Errorf("%q reads as %+v", s, i)
		}
	})
}

func TestJoinedNamesAreSplitAsTheyWereJoined(t *testing.T) {
	t.Parallel()
	for _, instance := range []string{"dist.1", "relay@2001:db8::1", "upload~0123456789abcdef"} {
		kind, key, got, ok := SplitRow(Row("relay", "a/s1", instance))
		if !ok || kind != "relay" || key != "a/s1" || got != instance {
			t.Errorf("%s: %q %q %q %v", instance, kind, key, got, ok)
		}
	}
	for _, bad := range []string{"", "dist", "dist|s1", "dist|s1|dist", "dist|s1|dist.1|x", "dist||dist.1", "dist|../s1|dist.1"} {
		if _, _, _, ok := SplitRow(bad); ok {
			t.Errorf("%q is taken for a row", bad)
		}
	}
	if got := TaskKey("a/s1"); got != "a:s1" {
		t.Errorf("key of a task: %s", got)
	}
}
