package runners

import "testing"

func TestACheckFallsAndRisesByAnswersInARow(t *testing.T) {
	t.Parallel()
	for answers, want := range map[string]string{ // + well, - not; what it is said to be after each: w, u, or . for nothing new
		"++":             ".w",
		"---":            "..u",
		"--+--+--++":     ".........w",
		"++--+---++":     ".w.....u.w",
		"++---+-+-+-+++": ".w..u.......w.",
		"+-+-+-+-":       "........",
	} {
		var y tally
		got := ""
		for _, a := range answers {
			word := "."
			if y.add(a == '+', 3, 2) {
				if word = "w"; y.unwell {
					word = "u"
				}
			}
			got += word
		}
		if got != want {
			t.Errorf("%s: %s, not %s", answers, got, want)
		}
	}
}
