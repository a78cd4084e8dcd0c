package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// journal writes lines for systemd's journal, which takes each one's priority
// from a prefix such as <4> (sd-daemon(3)); without one all are alike.
type journal struct {
	to      io.Writer
	console bool // lines for people; the journal has their times already
}

// underJournal tells whether what is written to w goes to systemd's journal:
// JOURNAL_STREAM names the device and the inode of its socket (systemd.exec(5)).
// A program that only inherited the variable, and writes elsewhere, is not.
func underJournal(w *os.File) bool {
	var at unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &at); err != nil {
		return false
	}
	return os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", at.Dev, at.Ino)
}

// priority is the syslog(3) priority of a level.
func priority(level zerolog.Level) int {
	switch level {
	case zerolog.TraceLevel, zerolog.DebugLevel:
		return 7
	case zerolog.WarnLevel:
		return 4
	case zerolog.ErrorLevel:
		return 3
	case zerolog.FatalLevel, zerolog.PanicLevel:
		return 2
	}
	return 6
}

// Write implements io.Writer for lines without a level.
func (j journal) Write(line []byte) (int, error) { return j.WriteLevel(zerolog.NoLevel, line) }

// WriteLevel implements zerolog.LevelWriter.
func (j journal) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	text := line
	if j.console {
		var out bytes.Buffer
		c := zerolog.ConsoleWriter{Out: &out, NoColor: true, PartsExclude: []string{zerolog.TimestampFieldName}}
		if _, err := c.Write(line); err != nil {
			return 0, err
		}
		text = out.Bytes()
	}
	if _, err := io.WriteString(j.to, prefixed(priority(level), string(text))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// prefixed gives each line of text its priority.
func prefixed(priority int, text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&out, "<%d>%s", priority, line)
	}
	return out.String()
}

// complain writes why a command failed.
func complain(w *os.File, text string) {
	text = "stream-api: " + lines(text) + "\n"
	if underJournal(w) {
		text = prefixed(3, text)
	}
	_, _ = io.WriteString(w, text) // there is nowhere else to say it
}
