package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stream-api/config"
)

// journalFile is a file that JOURNAL_STREAM names, as it does systemd's socket.
func journalFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var at unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &at); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", at.Dev, at.Ino))
	return f
}

// logged is what a logger writes to w: a line of each level.
func logged(t *testing.T, format string, w *os.File) []string {
	t.Helper()
	log, err := newLogger(config.Log{Level: "debug", Format: format}, w)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("heard")
	log.Info().Str("host", "ber").Msg("starts")
	log.Warn().Msg("waits")
	log.Error().Err(errors.New("first\nsecond")).Msg("fails")
	text, err := os.ReadFile(w.Name())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

func TestTheJournalGetsPriorities(t *testing.T) {
	for format, want := range map[string][]string{
		"auto":    {"<7>DBG heard", "<6>INF starts host=ber", "<4>WRN waits", "<3>ERR fails error="},
		"console": {"<7>DBG heard", "<6>INF starts host=ber", "<4>WRN waits", "<3>ERR fails error="},
		"json":    {`<7>{"level":"debug"`, `<6>{"level":"info"`, `<4>{"level":"warn"`, `<3>{"level":"error"`},
	} {
		lines := logged(t, format, journalFile(t))
		if len(lines) != len(want) {
			t.Errorf("%s: %d lines: %q", format, len(lines), lines)
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, want[i]) || strings.Contains(line, "\x1b") {
				t.Errorf("%s: %q; want %q…", format, line, want[i])
			}
		}
	}
}

func TestOnlyTheJournalGetsPriorities(t *testing.T) {
	journal := journalFile(t)
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }() // read by its name
	for _, line := range logged(t, "auto", other) {
		if !strings.HasPrefix(line, `{"level":`) {
			t.Errorf("beside the journal: %q", line)
		}
	}
	complain(other, "bad")
	complain(journal, "file:1:1: bad\n    1 | x")
	for file, want := range map[string]string{other.Name(): "stream-api: bad\n", journal.Name(): "<3>stream-api: file:1:1: bad\n<3>    1 | x\n"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(text), want) {
			t.Errorf("%q; want %q", text, want)
		}
	}
}
