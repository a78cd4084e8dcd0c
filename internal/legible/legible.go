// Package legible makes a text of strangers fit for a log, a terminal and a page. It knows no noun of ours and masks
// nothing: package stream does, and a supervisor masks the secrets it was given. It is a leaf of its own for the
// supervisor, which outlives its runner and so must not depend on a vocabulary that changes.
package legible

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line is text as one line may have it: control characters (breaks of lines, too), marks that reverse the direction of
// text and bytes that are no UTF-8 are escaped, \x1b or \u{202e}. Tabs stay. What it returns it does not change again.
func Line(text string) string {
	if strings.IndexFunc(text, Odd) < 0 {
		return text
	}
	var b strings.Builder
	for i, width := 0, 0; i < len(text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !Odd(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// Odd tells whether a terminal does something else with r than to show it; a tab, which it does show, is not odd.
func Odd(r rune) bool { return r == utf8.RuneError || r != '\t' && !strconv.IsPrint(r) }

// Cut is the beginning of text, at most n bytes, without half a character at its end.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
