package placement

import (
	"slices"
	"testing"

	"stream-api/stream"
)

func TestWithinATierTheEmptiestHeadIsAskedFirst(t *testing.T) {
	t.Parallel()
	candidates := []Candidate{{stream.TierWanted, "w"}, {stream.TierNeutral, "a"}, {stream.TierNeutral, "b"}, {stream.TierNeutral, "c"}, {stream.TierOther, "o"}}
	ByLoad(candidates, map[string]float64{"w": 9, "a": 5, "c": 1, "o": 0}) // b has no host with room
	var order []string
	for _, c := range candidates {
		order = append(order, c.Class)
	}
	if want := []string{"w", "c", "a", "b", "o"}; !slices.Equal(order, want) {
		t.Errorf("asked in the order %v, want %v", order, want)
	}
}

// TestWhatIsNonsenseOrNotFedIsNoCandidate: a class that does not compile, one whose
// filter is another's, one that misses a variable.
func TestWhatIsNonsenseOrNotFedIsNoCandidate(t *testing.T) {
	t.Parallel()
	needy := classOf(t, stream.Class{Needs: "dist:url"})
	classes := []Class{{ID: "nonsense"}, classOf(t, stream.Class{Filter: "^z"}), needy}
	if got := Candidates(Instance{Key: "s1"}, classes); len(got) != 0 {
		t.Errorf("candidates %v, want none", got)
	}
	if got := Candidates(Instance{Key: "s1", Published: map[stream.Need]bool{{Slot: "dist", Var: "url"}: true}}, classes); len(got) != 1 || got[0].Class != needy.ID {
		t.Errorf("candidates %v, want the one whose need is published", got)
	}
}
