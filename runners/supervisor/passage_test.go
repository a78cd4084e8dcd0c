package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stream-api/internal/confine"
)

// needLandlock leaves out what only a kernel with it can show.
func needLandlock(t *testing.T) {
	t.Helper()
	if k := confine.Ask(); k.ABI == 0 {
		if os.Getenv("STREAM_API_TEST_REQUIRE") != "" {
			t.Fatal(k.Why)
		}
		t.Skip(k.Why)
	}
}

// The same script as hook, as child, after a restart with another policy, and as a hook of a slot whose supervisor is dead.
func TestEveryProgramOfASlotIsConfined(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	look := `{ echo "$1 $STREAM_API_CONFINE $(grep -o 'NoNewPrivs.*' /proc/self/status)"; cat "$SLOT/spec.json" >/dev/null && echo spec; cat "$SECRET"; cat "$PUBLIC"; ` +
		`kill -0 $PPID && echo keeper; echo x=1 >> "$STREAM_API_VARS" && echo vars; touch f && echo work; } >> "$NOTES/$1" 2>/dev/null`
	hook := func(name string) []Hook { return []Hook{{Argv: []string{"sh", "-c", look, "sh", name}}} }
	r := launch(t, shell(look+"; exec sleep 1000"), func(s *Spec) {
		root := filepath.Dir(s.Dir)
		for name, text := range map[string]string{"secret": "secret\n", "public": "public\n"} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.Env = append(s.Env, "SLOT="+s.Dir, "SECRET="+filepath.Join(root, "secret"), "PUBLIC="+filepath.Join(root, "public"), confine.Env+"=a lie")
		s.Args = append(s.Args, "sh", "child")
		s.PreStart, s.PostStop = hook("pre_start"), hook("post_stop")
		s.Confine.Hidden = []string{filepath.Join(root, "secret")}
	})
	r.await(EventStarted)
	signals := ""
	if !confine.Ask().Holds() {
		signals = "keeper\n"
	}
	confined := func(name string) {
		t.Helper()
		want := name + " hide NoNewPrivs:\t1\npublic\n" + signals + "vars\nwork"
		until(r.t, name+" has looked", func() bool { return strings.HasSuffix(r.note(name), "work") })
		if got := r.note(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	confined("pre_start")
	confined("child")
	if text := fmt.Sprint(os.Remove(filepath.Join(r.notes, "pre_start")), os.Remove(filepath.Join(r.notes, "child"))); text != "<nil> <nil>" {
		t.Fatal(text)
	}
	free := r.Spec().Exec
	free.Confine = confine.Policy{}
	r.must(r.Restart(t.Context(), free))
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	confined("post_stop")
	until(r.t, "the free child has looked", func() bool { return strings.HasSuffix(r.note("child"), "work") })
	if got := r.note("child"); !strings.Contains(got, "spec\nsecret\npublic\nkeeper\n") || strings.Contains(got, "hide") {
		t.Errorf("without confinement: %q", got)
	}
}

func TestAHookAfterADeadSupervisorIsConfined(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	r := launch(t, func(s *Spec) {
		s.PostStop = []Hook{{Argv: []string{"sh", "-c", `cat "$0/spec.json" > "$NOTES/spec"; echo done > "$NOTES/post_stop"`, s.Dir}}}
	})
	r.await(EventStarted)
	r.killSupervisor()
	r.must(Finish(t.Context(), r.dir))
	spec, err := os.ReadFile(filepath.Join(r.notes, "spec"))
	if got := r.note("post_stop"); got != "done" || err != nil || len(spec) > 0 {
		t.Errorf("%q, and of the spec %q, %v", got, spec, err)
	}
}

func TestAProgramThatIsHiddenSaysSo(t *testing.T) {
	t.Parallel()
	needLandlock(t)
	for name, make := range map[string]func(root string) (program string, err error){
		"hidden": func(root string) (string, error) {
			return filepath.Join(root, "hidden", "program"), os.WriteFile(filepath.Join(root, "hidden", "program"), []byte("#!/bin/sh\n"), 0o700)
		},
		"its interpreter": func(root string) (string, error) {
			hidden := filepath.Join(root, "hidden", "sh")
			if err := os.WriteFile(hidden, []byte("#!/bin/sh\n"), 0o700); err != nil {
				return "", err
			}
			return filepath.Join(root, "program"), os.WriteFile(filepath.Join(root, "program"), []byte("#!"+hidden+"\n"), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := launch(t, func(s *Spec) {
				root := filepath.Dir(s.Dir)
				hidden := filepath.Join(root, "hidden")
				if err := os.Mkdir(hidden, 0o700); err != nil {
					t.Fatal(err)
				}
				var err error
				if s.Path, err = make(root); err != nil {
					t.Fatal(err)
				}
				s.Args, s.Confine.Hidden = nil, []string{hidden}
			})
			e := r.await(EventExited)
			if e.Exit.Reason != ExitStart || !strings.Contains(e.Exit.Text, "confine hides") || !strings.Contains(e.Exit.Text, "confine: none") {
				t.Errorf("%+v", e.Exit)
			}
		})
	}
}

func TestWhatIsRequiredAndCannotBeHadFailsTheStart(t *testing.T) {
	t.Parallel()
	if confine.Ask().Holds() {
		// Of this kernel only the other answer can be seen; the refusal has its test where the kernel can be faked.
		r := launch(t, func(s *Spec) { s.Confine.Require = true })
		r.await(EventStarted)
		return
	}
	r := launch(t, func(s *Spec) { s.Confine.Require = true })
	if e := r.await(EventExited); !strings.Contains(e.Exit.Text, "take require away") {
		t.Errorf("%+v", e.Exit)
	}
}

func TestNothingOfASlotIsForAnotherUser(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("echo x=1 >> $STREAM_API_VARS; echo > $NOTES/up; exec sleep 1000"))
	r.note("up")
	seen := 0
	err := filepath.WalkDir(r.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		// What lies below a directory that lets nobody in is out of reach.
		if seen++; path == r.dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 8 {
		t.Errorf("%d entries, %v", seen, err)
	}
}
