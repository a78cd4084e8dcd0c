package legible_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"stream-api/internal/legible"
)

func TestWhatMovesATerminalIsEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"ünïcode ✓":               "ünïcode ✓",
		"a\tb":                    "a\tb",
		"a\nb\rc":                 `a\x0ab\x0dc`,
		"bell\a esc\x1b c1\u0085": `bell\x07 esc\x1b c1\u{85}`,
		"bad \xff \u202etxt.exe":  `bad \xff \u{202e}txt.exe`,
		"half \xe2\x9c":           `half \xe2\x9c`,
		"\ufffd":                  `\u{fffd}`,
	} {
		if got := legible.Line(text); got != want {
			t.Errorf("%q became %q, wanted %q", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\x1b[1m\xff\u202e\n\t")
	f.Fuzz(func(t *testing.T, text string) {
		got := legible.Line(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			t.Errorf("%q became %q", text, got)
		}
		if again := legible.Line(got); again != got {
			t.Errorf("%q became %q, and then %q", text, got, again)
		}
	})
}

func TestACutLeavesNoHalfCharacter(t *testing.T) {
	text := "aé✓𝄞" // 1, 2, 3 and 4 bytes
	for n, want := range []string{"", "a", "a", "aé", "aé", "aé", "aé✓", "aé✓", "aé✓", "aé✓", text, text} {
		if got := legible.Cut(text, n); got != want {
			t.Errorf("%d bytes: %q, wanted %q", n, got, want)
		}
	}
}
