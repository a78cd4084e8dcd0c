package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stream-api/stream"
)

// TestPageOfReasonsHasEveryCode: with the sentence and the severity that the program
// gives to what the first column says, and what to do.
func TestPageOfReasonsHasEveryCode(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []stream.Code
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (\\w+) \\| (.+?) \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		r := stream.ParseReason(m[1])
		told = append(told, r.Code)
		if got := r.String(); got != m[3] || strings.HasPrefix(got, string(r.Code)+" (") {
			t.Errorf("%s is said as %q, in docs/reasons.md as %q", m[1], got, m[3])
		}
		if string(r.Severity()) != m[2] || r.Wire() != m[1] || strings.TrimSpace(m[4]) == "" {
			t.Errorf("%s has the severity %s, is written %s, and what to do is %q", m[1], r.Severity(), r.Wire(), m[4])
		}
	}
	slices.Sort(told)
	for _, code := range stream.Codes() {
		if !slices.Contains(told, code) {
			t.Errorf("docs/reasons.md has no row for %s", code)
		}
	}
	if len(told) != len(stream.Codes()) {
		t.Errorf("docs/reasons.md has %d rows, the program %d codes", len(told), len(stream.Codes()))
	}
}
