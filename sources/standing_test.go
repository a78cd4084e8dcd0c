package sources

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// chainOf is the chain under which a source announces a stream.
func (w *world) chainOf(source, key string) string {
	set, err := w.store.Announced(w.t.Context(), source)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := stream.DecodeAnnouncement(set.Entries[key])
	if err != nil {
		return ""
	}
	return strings.Join(a.Chain, " ")
}

// differing is what is told of files that differ.
func (w *world) differing(source string) string {
	_, files, err := w.store.RulesOf(w.t.Context(), source)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		out = append(out, f.Host+": "+f.What+f.Refused)
	}
	return strings.Join(out, "; ")
}

// Whatever the stand-by's file says, one poller after the other announces alike, and nothing goes back and forth.
func TestAStandByAnnouncesByTheRulesInForce(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "live/s1")
	c := ingest.config()
	c.Strip, c.Chain, c.Match = "live/", []string{"dist", "record"}, regexp.MustCompile("^s")
	first := w.poll(c, "ber")
	w.await(20*time.Second, "ingest", "s1")
	old := ingest.config()
	old.Chain, old.GoneAfter, old.Match = []string{"dist"}, time.Millisecond, regexp.MustCompile("^never")
	second := w.poll(old, "ham")
	realtest.Await(t, 20*time.Second, "it is told", func() bool {
		return w.differing("ingest") == "ham: record goes, match ^s becomes ^never, strip live/ becomes none, gone_after 400ms becomes 1ms"
	})
	before := w.version("ingest")
	good := second.Stats().Good
	realtest.Await(t, 20*time.Second, "both poll", func() bool { return second.Stats().Good > good+5 })
	if now := w.version("ingest"); now != before {
		t.Errorf("what is announced changed: %s, was %s", now, before)
	}
	first.stop()
	ingest.set("live/s1", "live/s2")
	w.await(20*time.Second, "ingest", "s1", "s2")
	if chain := w.chainOf("ingest", "s2"); chain != "dist record" {
		t.Errorf("s2 has the chain %q", chain)
	}
	if n := len(second.log.messages()); n > 3 {
		t.Errorf("%d lines: %q", n, second.log.messages())
	}
}

func (w *world) version(source string) string {
	set, err := w.store.Announced(w.t.Context(), source)
	if err != nil {
		w.t.Fatal(err)
	}
	return set.Version
}

func TestAStandByAnnouncesTheListInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.poll(Config{Plugin: PluginStatic, Interval: 100 * time.Millisecond, Mounts: []stream.Mount{{Key: "s1"}, {Key: "s2", Vars: map[string]string{"lang": "de"}}}}, "ber")
	w.await(20*time.Second, "ingest", "s1", "s2")
	w.poll(Config{Plugin: PluginStatic, Interval: 100 * time.Millisecond, Mounts: []stream.Mount{{Key: "s1"}, {Key: "old"}}, GoneAfter: 1}, "ham")
	realtest.Await(t, 20*time.Second, "it is told", func() bool { return strings.HasPrefix(w.differing("ingest"), "ham: stream s2 goes, stream old comes") })
	before := w.version("ingest")
	first.stop()
	if _, err := w.store.Retract(t.Context(), "ingest", "s2"); err != nil {
		t.Fatal(err)
	}
	w.await(20*time.Second, "ingest", "s1", "s2")
	if w.version("ingest") == before {
		t.Error("s2 was not announced anew")
	}
}

// What the same words stand for may differ from host to host, and would go back and forth.
func TestHostsThatMakeOtherOfTheSameRulesAreTold(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1")
	on := func(site string) Config {
		c := ingest.config()
		c.SourceVars = map[string]string{"url": "srt://${host:site}"}
		c.Resolve = func(text string) (string, error) { return strings.ReplaceAll(text, "${host:site}", site), nil }
		return c
	}
	w.poll(on("alb"), "ber")
	w.await(20*time.Second, "ingest", "s1")
	same := w.poll(on("alb"), "ham")
	realtest.Await(t, 20*time.Second, "who agrees announces", func() bool { return same.Stats().Good > 3 && same.Stats().StoreProblem == "" })
	other := w.poll(on("dus"), "dus")
	realtest.Await(t, 20*time.Second, "who makes something else of them is told", func() bool {
		return strings.HasPrefix(w.differing("ingest"), "dus: source ingest is already polled as") && other.Stats().StoreProblem != ""
	})
	if set, err := w.store.Announced(t.Context(), "ingest"); err != nil || !strings.Contains(set.Entries["s1"], "srt://alb") {
		t.Errorf("%v, %v", set.Entries, err)
	}
}

// A newer program's rules, or such as a hand spoiled.
func TestRulesThatCannotBeFollowedStopNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r *Rules) string{
		"unknown": func(r *Rules) string { return strings.Replace(r.Encode(), "{", `{"colours":{},`, 1) },
		"spoiled": func(*Rules) string { return "{" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ingest := newWorld(t), newRelay(t, "s1")
			c := ingest.config()
			p := w.poll(c, "ber")
			w.await(20*time.Second, "ingest", "s1")
			r := p.standing.rules
			text := spoil(&r)
			if err := w.redis.Client().HSet(t.Context(), "source:ingest", "rules", text, "rules_version", 9, "rules_digest", RulesDigest(text)).Err(); err != nil {
				t.Fatal(err)
			}
			ingest.set("s2")
			realtest.Await(t, 20*time.Second, "it is told", func() bool {
				return strings.Contains(w.differing("ingest"), "ber: ") && strings.Contains(w.differing("ingest"), "cannot be followed")
			})
			w.await(0, "ingest", "s1")
			if _, already, err := w.store.AcceptRules(t.Context(), "ingest", "ber"); err != nil || already {
				t.Fatalf("accept: %v, %v", already, err)
			}
			w.await(20*time.Second, "ingest", "s2")
			realtest.Await(t, 20*time.Second, "it is told no more", func() bool { return w.differing("ingest") == "" })
		})
	}
}

func TestWhatIsRememberedOutlivesARestart(t *testing.T) {
	t.Parallel()
	m := MemoryIn(t.TempDir())
	if got, err := m.load("x"); err != nil || got != (rulesMemory{}) {
		t.Fatalf("of nothing: %+v, %v", got, err)
	}
	what := rulesMemory{InForce: store.Ruling{Version: 3, Digest: RulesDigest("{}"), By: "ber", At: 7, Text: "{}"}, Agreed: agreement{2, "d"}}
	if err := m.save("x", what); err != nil {
		t.Fatal(err)
	}
	if got, err := m.load("x"); err != nil || got != what {
		t.Errorf("%+v, %v", got, err)
	}
	path := filepath.Join(m.dir, "x.json")
	for name, spoil := range map[string]func() error{
		"cut off": func() error { return os.Truncate(path, 30) },
		"edited": func() error {
			return os.WriteFile(path, []byte(`{"in_force":{"version":3,"digest":"x","text":"{}"}}`), 0o600)
		},
		"a link": func() error { return errors.Join(os.Remove(path), os.Symlink("/etc/hostname", path)) },
		"a pipe": func() error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) },
		"too large": func() error {
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600), os.Truncate(path, maxMemory+1))
		},
	} {
		if err := errors.Join(m.save("x", what), spoil()); err != nil {
			t.Fatal(err)
		}
		if got, err := m.load("x"); err == nil || got != (rulesMemory{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if err := m.save("x", what); err != nil {
		t.Errorf("over what was spoiled: %v", err)
	}
}

// A host that cannot write down what is in force follows it all the same.
func TestAHostWithoutMemoryFollows(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s1")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := w.pollWith(ingest.config(), "ber", MemoryIn(file))
	w.await(20*time.Second, "ingest", "s1")
	if messages := strings.Join(p.log.messages(), "\n"); !strings.Contains(messages, "cannot be written down") {
		t.Errorf("nothing was said: %s", messages)
	}
}
