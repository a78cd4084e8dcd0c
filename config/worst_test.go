package config

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The limits of a file are chosen so that even the worst one is dealt with
// while someone waits. The bound here is loose, for slow machines, and on
// processor time, for busy ones.
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
			start := processorTime(t)
			_, err := load(testHostname, File{Name: "x.yaml", Data: []byte(text)})
			took := processorTime(t) - start
			if took > time.Minute {
				t.Errorf("took %s", took)
			}
			var wrong *Error
			if errors.As(err, &wrong) && len(wrong.Error()) > 1<<20 {
				t.Errorf("the message has %d bytes", len(wrong.Error()))
			}
			if err == nil && name != "one long scalar" {
				t.Error("accepted")
			}
			t.Log(took.Round(time.Millisecond))
		})
	}
}

// processorTime is what this process has used of its processors.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
