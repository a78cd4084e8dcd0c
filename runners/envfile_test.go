package runners_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stream-api/internal/confine"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

func TestEachStreamHasItsOwnEnvFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	dir := t.TempDir() // not the notes': on the way to a hidden place nothing can be made
	env := filepath.Join(dir, "env")
	if err := os.Mkdir(env, 0o700); err != nil {
		t.Fatal(err)
	}
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("x.env", "PASS=outside\n")
	file("env/one.env", "PASS=first\n")
	file("env/two.env", "PASS=second\n")
	// What it was given, and which of the files it can read.
	script := `{ echo "$PASS"; for f in one two; do cat "$ENVS/$f.env" 2>/dev/null; done; } > "$NOTES/$STREAM_API_STREAM.new"
mv "$NOTES/$STREAM_API_STREAM.new" "$NOTES/$STREAM_API_STREAM"; ` + story
	h.run(h.options(h.shell("work", script, func(s *plan.Service) {
		s.Exec.EnvFile = templates(t, env+"/${stream:room}.env")
		s.Exec.Env["ENVS"] = template(t, env)
		s.Exec.Confine = confine.Policy{Level: confine.Hide, Hidden: []string{env}}
	})))
	for key, room := range map[string]string{"s1": "one", "s2": "two", "s3": "../x", "s4": "three"} {
		w.announce(key, map[string]string{"room": room}, "work")
	}
	for key, want := range map[string]struct{ given, reads string }{"s1": {"first", "PASS=first"}, "s2": {"second", "PASS=second"}} {
		w.awaitRunning(key, "work", "speedy")
		given, reads, _ := strings.Cut(strings.TrimSpace(h.note(key)), "\n")
		if given != want.given || confine.Ask().ABI > 0 && reads != want.reads {
			t.Errorf("%s was given %q and reads %q; want %+v", key, given, reads, want)
		}
	}
	for key, why := range map[string]string{"s3": "which is refused", "s4": "open " + env + "/three.env: no such file"} {
		w.awaitSlot(key, "work", "does not say "+why, func(s store.InstanceRecord) bool {
			return s.Phase == stream.Failing && strings.Contains(s.Reason.String(), why)
		})
	}
	if n := h.count("start"); n != 2 {
		t.Errorf("%d children ran; want those of s1 and s2", n)
	}
}
