package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// readAll returns the texts of one mark in the log.
func readAll(t *testing.T, dir, mark string) []string {
	t.Helper()
	var got []string
	err := ReadLog(t.Context(), dir, -1, false, func(l LogLine) error {
		if l.Mark == mark {
			got = append(got, l.Text)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return got
}

func TestTheLogKeepsBothStreamsMasked(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`i=0; while [ $i -lt 200 ]; do echo "out $i hunter2 x"; echo "err $i icecast://source:hunter2@h/" >&2; i=$((i+1)); done; printf unended; echo > $NOTES/up; exec sleep 1000`),
		func(s *Spec) {
			s.Mask = []string{"hunter2"}
			s.PostStop = []Hook{{Argv: []string{"sh", "-c", "echo after hunter2"}}}
		})
	r.note("up")
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, errs := readAll(t, r.dir, MarkOut), readAll(t, r.dir, MarkErr)
	if len(out) != 201 || out[199] != "out 199 *** x" || out[200] != "unended" {
		t.Errorf("%d lines of stdout, the last %q", len(out), out[max(0, len(out)-2):])
	}
	if len(errs) != 200 || errs[0] != "err 0 icecast://source:***@h/" {
		t.Errorf("%d lines of stderr, the first %q", len(errs), errs[:min(1, len(errs))])
	}
	if hook := readAll(t, r.dir, MarkHook); !slices.Equal(hook, []string{"after ***"}) {
		t.Errorf("hook: %q", hook)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, fileLog))
	if err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("the secret is in the log, or %v", err)
	}
	exit := r.await(EventExited).Exit
	if len(exit.Stderr) != 5 || exit.Stderr[4] != "err 199 icecast://source:***@h/" {
		t.Errorf("tail %q", exit.Stderr)
	}
}

func TestTheStderrTailIsCapped(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; printf '%05000d' 1 >&2; exit 1`))
	exit := r.await(EventExited).Exit
	if len(exit.Stderr) != 5 || exit.Stderr[0] != "line 4" || len(exit.Stderr[4]) > tailWidth || !strings.HasPrefix(exit.Stderr[4], "0000") {
		t.Errorf("%q", exit.Stderr)
	}
}

func TestTheLogOutlivesTheChildAndHasABound(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`yes "a line that fills the log quickly, more quickly than one would like" | head -n 8000; exit 1`))
	r.await(EventExited)
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 3 })
	if _, err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, name := range []string{fileLog, fileLogOld} {
		info, err := os.Stat(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		size += info.Size()
	}
	if size > logMax {
		t.Errorf("%d bytes, at most %d", size, logMax)
	}
	if said := readAll(t, r.dir, MarkSelf); !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "ended: ") }) {
		t.Errorf("the end is not in it: %q", said)
	}
}

func TestATailIsTheLastLinesOfBothFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := "2026-11-22T10:00:00.000Z out "
	write := func(name string, lines ...string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := ReadLog(t.Context(), dir, 5, false, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a log: %v", err)
	}
	write(fileLogOld, at+"1", at+"2", "half a \x1b[1mline")
	write(fileLog, at+"4 and more")
	var got []string
	err := ReadLog(t.Context(), dir, 3, false, func(l LogLine) error {
		got = append(got, fmt.Sprintf("%s %s", l.Mark, l.Text))
		return nil
	})
	if want := []string{"out 2", `sup half a \x1b[1mline`, "out 4 and more"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	stop := errors.New("enough")
	if err := ReadLog(t.Context(), dir, -1, false, func(LogLine) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// The follower sees every line once, over rotations, and ends with the supervisor.
func TestAFollowerSeesEveryLine(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`pad=$(printf '%04000d' 0); i=0; while [ $i -lt 200 ]; do echo "$i $pad"; i=$((i+1)); sleep 0.01; done; exec sleep 1000`))
	lines := make(chan string, 1000)
	done := make(chan error, 1)
	go func() {
		done <- ReadLog(context.Background(), r.dir, 0, true, func(l LogLine) error {
			if l.Mark == MarkOut {
				lines <- l.Text
			}
			return nil
		})
	}()
	next := -1
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for next < 199 {
		select {
		case line := <-lines:
			var n int
			if _, err := fmt.Sscanf(line, "%d", &n); err != nil || next >= 0 && n != next+1 {
				t.Fatalf("after %d came %q", next, line)
			}
			next = n
		case <-limit.C:
			t.Fatalf("only %d lines", next)
		}
	}
	if _, err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the follower ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, fileLogOld)); err != nil {
		t.Errorf("there was no rotation: %v", err)
	}
}

// The disk is full, then it is not: work goes on, and it is said once.
func TestALogThatCannotBeWrittenIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var warned []string
	j := newJournal(filepath.Join(dir, "missing"), 1<<20, nil, func(format string, a ...any) { warned = append(warned, fmt.Sprintf(format, a...)) })
	for range 3 {
		j.write([]byte("x\n"))
	}
	if len(warned) != 1 {
		t.Errorf("%q", warned)
	}
	if err := os.Mkdir(filepath.Join(dir, "missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	j.write([]byte("y\n"))
	if text, err := os.ReadFile(filepath.Join(dir, "missing", fileLog)); err != nil || string(text) != "y\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := j.file.Close(); err != nil {
		t.Error(err)
	}
}

// Nobody writes the journal out: what does not fit is counted, and nobody waits.
func TestAFloodIsLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	j := newJournal(t.TempDir(), 1<<20, nil, t.Errorf)
	for range 10000 {
		j.line(MarkOut, []byte(strings.Repeat("x", 100)), false)
	}
	if len(j.buffer) > logBuffer || j.dropped < 5000 {
		t.Errorf("%d bytes held, %d lines left out", len(j.buffer), j.dropped)
	}
	j.buffer = j.buffer[:0]
	dropped := j.dropped
	j.line(MarkOut, []byte("after"), false)
	if want := fmt.Sprintf("sup %d lines left out", dropped); !strings.Contains(string(j.buffer), want) || j.dropped != 0 {
		t.Errorf("%q, wanted %q", j.buffer, want)
	}
}
