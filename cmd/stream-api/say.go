package main

import (
	"fmt"
	"os"
	"strings"

	"stream-api/stream"
)

// say talks to whoever typed a command: on stderr, so that results stay apart,
// and without anything in it that a stranger could move the terminal with.
func say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, lines(fmt.Sprintf(strings.TrimSuffix(format, "\n"), args...)))
}

// lines is Printable for a text of several lines.
func lines(s string) string {
	all := strings.Split(s, "\n")
	for i := range all {
		all[i] = stream.Printable(all[i])
	}
	return strings.Join(all, "\n")
}
