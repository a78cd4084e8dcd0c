package supervisor

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// with gives the environment of a running child another value of E.
func (r *rig) with(value string) Exec {
	next := r.Spec().Exec
	next.Env = append(slices.DeleteFunc(slices.Clone(next.Env), func(kv string) bool { return strings.HasPrefix(kv, "E=") }), "E="+value)
	return next
}

// awaitNote waits for a note to be so.
func (r *rig) awaitNote(name, want string) {
	r.t.Helper()
	path := filepath.Join(r.notes, name)
	until(r.t, name+" is "+want, func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.TrimSpace(string(text)) == want
	})
}

// hears notes the value it was started with, and at each HUP what the file says then. It
// hears nothing in its first moments.
const hears = `echo "$E" > $NOTES/started; trap '. "$STREAM_API_ENV"; echo "$E" >> $NOTES/heard' HUP
stat -c %a "$STREAM_API_ENV" > $NOTES/mode; cp "$STREAM_API_ENV" $NOTES/file; while :; do sleep 0.02; done`

func TestAChildIsToldOnceAndReadsWhatChanged(t *testing.T) {
	t.Parallel()
	evil := "it's $(touch \"$NOTES/evil\") `touch $NOTES/evil`\nPATH=/nowhere"
	r := launch(t, shell(hears), func(s *Spec) { s.Env = append(s.Env, "E=one") })
	r.awaitNote("started", "one")
	// At once, while the shell may not have heard of its trap yet: it is told when it is a second old.
	if err := r.Change(t.Context(), r.with(evil), "HUP"); err != nil {
		t.Fatal(err)
	}
	r.awaitNote("heard", evil)
	if _, err := os.Stat(filepath.Join(r.notes, "evil")); err == nil {
		t.Error("a value was run")
	}
	if r.note("mode") != "600" {
		t.Errorf("the file's mode is %s", r.note("mode"))
	}
	if r.note("started") != "one" {
		t.Error("it was started anew")
	}
	// Nothing tells it: the file has it all the same.
	if err := r.Change(t.Context(), r.with("three"), ""); err != nil {
		t.Fatal(err)
	}
	path := environPath(r.dir)
	until(t, "the file has it", func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("in the middle of a change: %v", err)
		}
		return strings.Contains(string(text), "E='three'\n")
	})
	// Its next start is with what came last.
	if err := r.Restart(t.Context(), r.with("four")); err != nil {
		t.Fatal(err)
	}
	r.awaitNote("started", "four")
	if r.note("heard") != evil {
		t.Errorf("heard %q", r.note("heard"))
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, r.dir)
	if _, err := os.Stat(path); err == nil {
		t.Error("the file outlives the child")
	}
}

// A change that comes before the child was started is what it is started with, and no
// signal ends it.
func TestAChangeBeforeTheStartIsPartOfIt(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`echo "$E" >> $NOTES/started; exec sleep 1000`), func(s *Spec) {
		s.Env = append(s.Env, "E=one")
		s.PreStart = []Hook{{Argv: []string{"sh", "-c", `echo > $NOTES/hook; while [ ! -e $NOTES/go ]; do sleep 0.01; done`}, Timeout: time.Minute}}
	})
	r.note("hook")
	if err := r.Change(t.Context(), r.with("two"), "HUP"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.notes, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.awaitNote("started", "two")
	if err := r.Change(t.Context(), r.with("three"), "USR1"); err != nil { // it heeds none, so that it ends by this one
		t.Fatal(err)
	}
	r.awaitNote("started", "two\nthree")
	if exit := r.await(EventExited).Exit; exit.Signal != "SIGUSR1" {
		t.Errorf("ended by %+v", exit)
	}
}

func TestAChangeThatDoesNotReadIsRefused(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`exec sleep 1000`))
	r.await(EventStarted)
	if err := r.Change(t.Context(), r.with("x"), "KILL"); err == nil {
		t.Error("KILL was taken")
	}
	bad := r.with("x")
	bad.Env = append(bad.Env, "no name")
	if err := r.Change(t.Context(), bad, "HUP"); err == nil {
		t.Error("a broken environment was taken")
	}
}

func TestAShellReadsBackWhatIsWritten(t *testing.T) {
	t.Parallel()
	env := []string{"A=plain", "B=", "C='", `D=\'$A`, "E=a\nb='c'\n", "F=$(false) `false` ; & # !", "PPID=1", "UID=0", "BAD-NAME=x", "9=x", "G= "}
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, sourced(env), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !shellName(name) || slices.Contains(keptByShells, name) {
			if strings.Contains(string(sourced(env)), name+"=") {
				t.Errorf("%s is in it", name)
			}
			continue
		}
		for _, shell := range []string{"sh", "bash"} {
			out, err := exec.Command(shell, "-c", `set -eu; . "$1"; printf '%s|' "$`+name+`"`, "x", path).Output()
			if err != nil || string(out) != value+"|" {
				t.Errorf("%s: %s reads %q, %v", kv, shell, out, err)
			}
		}
	}
}

// A shell that was started a moment ago has not heard of its trap yet, and would end.
func TestAYoungChildIsNotSignalled(t *testing.T) {
	t.Parallel()
	l := life{wake: make(chan struct{}, 1), edition: 2, runs: 1}
	l.wishes.told = told{"HUP", 2}
	if signal, in := l.due(handsAfter / 4); signal != "" || in != handsAfter-handsAfter/4 {
		t.Errorf("told %q, in %s", signal, in)
	}
	if signal, _ := l.due(time.Second); signal != "HUP" {
		t.Errorf("told %q when it is old enough", signal)
	}
	if signal, in := l.due(time.Hour); signal != "" || in != 0 {
		t.Errorf("told %q again, in %s", signal, in)
	}
	l.runs, l.wishes.told = 2, told{"HUP", 2}
	if signal, in := l.due(0); signal != "" || in != 0 {
		t.Errorf("told %q of what it was started with, in %s", signal, in)
	}
}
