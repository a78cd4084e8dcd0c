package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The limits of a file are chosen so that even the worst one is dealt with
// while someone waits; the bound here is loose, for slow machines.
func TestHostileShapesEndSoon(t *testing.T) {
	for name, text := range map[string]string{
		"flat map":          strings.Repeat("a: b\n", maxFileTokens/3-1),
		"long line":         "network: {vars: {" + strings.Repeat("a: b, ", maxFileTokens/4-8) + "}}",
		"many problems":     "network: {vars: {" + distinct(maxFileTokens/4-8) + "}}",
		"flow lists":        "a: " + strings.Repeat("[", 1<<19),
		"block lists":       strings.Repeat("- ", 1<<19),
		"flow maps":         strings.Repeat("{a: ", 1<<18),
		"anchors":           strings.Repeat("&a ", 1<<18),
		"tags":              strings.Repeat("!a ", 1<<18),
		"explicit keys":     strings.Repeat("? ", 1<<19),
		"too large":         strings.Repeat("# x\n", 1<<19),
		"one long scalar":   "state_dir: /" + strings.Repeat("a", maxFileBytes-20),
		"nested by indents": indented(900),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := load(testHostname, File{Name: "x.yaml", Data: []byte(text)})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			var wrong *Error
			if errors.As(err, &wrong) && len(wrong.Error()) > 1<<20 {
				t.Errorf("the message has %d bytes", len(wrong.Error()))
			}
			if err == nil && name != "one long scalar" {
				t.Error("accepted")
			}
			t.Log(time.Since(start).Round(time.Millisecond))
		})
	}
}

func indented(depth int) string {
	var text strings.Builder
	for i := range depth {
		text.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return text.String()
}

func distinct(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%d: b, ", i)
	}
	return text.String()
}
