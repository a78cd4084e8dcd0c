package stream

import (
	"slices"
	"testing"
)

func TestLayoutsReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Layouts{"2": {2, 2}, "2-3": {2, 3}, "": {}, "3-2": {}, "0": {}, "2-": {}, "x": {}, "-1": {}} {
		got := ParseLayouts(text)
		if got != want || want != (Layouts{}) && got.String() != text {
			t.Errorf("%q is %v, written %q; want %v", text, got, got, want)
		}
	}
}

func TestWhoSpeaksLessIsNamed(t *testing.T) {
	t.Parallel()
	hosts := []HostStatus{{Host: "a", Layouts: "2-3"}, {Host: "b", Layouts: "2"}, {Host: "c", Layouts: "2", State: Down}, {Host: "d"}}
	if less, latest := LessSpoken(hosts); latest != 3 || !slices.Equal(less, []string{"b (2)", "d ()"}) {
		t.Errorf("%v speak less than %d", less, latest)
	}
	if less, _ := LessSpoken(hosts[1:3]); len(less) != 0 {
		t.Errorf("all speak the same: %v", less)
	}
}
