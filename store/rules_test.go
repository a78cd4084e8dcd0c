package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// author is a host that polls a source: its file, and what its state directory remembers.
type author struct {
	g      *stage
	host   string
	file   string
	wants  int64
	fresh  bool
	memory store.Ruling
	agreed store.Ruling
	url    string
	last   string // word of the last answer
}

func (g *stage) author(host, file string) *author {
	return &author{g: g, host: host, file: file, fresh: true, url: "http://in"}
}

// offers says what the file has until the store takes a view of it, as a poller does.
func (a *author) offers() string {
	a.g.t.Helper()
	for range 5 {
		r, err := a.g.s.OfferRules(a.g.ctx, store.RulesOffer{
			Source: "src", Host: a.host, Info: store.SourceInfo{Type: "t", URL: a.url}, Digest: "d" + a.file, Text: a.file, Wants: a.wants, Fresh: a.fresh,
			Base: a.agreed, Remembered: a.memory, What: a.file + " for " + a.memory.Text,
		})
		var taken *store.SourceTakenError
		if errors.As(err, &taken) {
			a.last = "taken"
			return a.last
		}
		a.g.must(err)
		a.last = r.Word
		switch r.Word {
		case store.RulesStale:
			a.memory = r.InForce
			continue
		case store.RulesWon:
			a.memory = r.InForce
			a.memory.Digest, a.memory.Text = "d"+a.file, a.file
			fallthrough
		case store.RulesAgree:
			a.agreed, a.fresh = a.memory, false
		case store.RulesDiffer:
			a.fresh = a.fresh && r.Wait > 0
		}
		return a.last
	}
	a.g.t.Fatal("the rules keep changing")
	return ""
}

// edits writes another file, and has the host take it up.
func (a *author) edits(file string) *author {
	a.file, a.fresh = file, true
	return a
}

// reinstalled is the host with an empty state directory.
func (a *author) reinstalled() *author {
	a.memory, a.agreed, a.fresh = store.Ruling{}, store.Ruling{}, true
	return a
}

// inForce is "v<version> of <host>: <file>".
func (g *stage) inForce() string {
	g.t.Helper()
	r, _, err := g.s.RulesOf(g.ctx, "src")
	if errors.Is(err, store.ErrNotFound) {
		return "none"
	}
	g.must(err)
	return fmt.Sprintf("%v: %s", r, r.Text)
}

func (g *stage) ruled(want string) error {
	if got := g.inForce(); got != want {
		return fmt.Errorf("in force is %q, want %q", got, want)
	}
	return nil
}

// flush empties the store; its first hold begins with the next tick.
func (g *stage) flush() {
	g.must(g.client.FlushDB(g.ctx).Err())
	g.c.advance(0) // the tests' clock lies in the store
}

// made is ber with the rules "rec" in force, and ham with an older file.
func made(g *stage) (ber, ham *author) {
	g.t.Helper()
	g.open()
	ham = g.author("ham", "old")
	ham.offers()
	ber = g.author("ber", "old")
	ber.offers()
	ber.edits("rec").offers()
	ham.offers()
	g.must(g.ruled("v2 of ber: rec"))
	return ber, ham
}

var ruleGuards = []guard{
	{"rules are compared and set", []cut{{"rules", "fresh and own.digest ~= current.digest and same(base, current)", "fresh and own.digest ~= current.digest"}}, editedOldFile},
	{"an old file that starts changes nothing", []cut{{"rules", "fresh and own.digest ~= current.digest and same(base, current)", "fresh and own.digest ~= current.digest"}}, startedOldFile},
	{"rules that were agreed to long ago are no base", []cut{{"rules", "local function same(a, b) return a.version == b.version and a.digest == b.digest end",
		"local function same(a, b) return a.digest == b.digest end"}}, editedAfterThereAndBack},
	{"only who starts is weighed", []cut{{"rules", "fresh and own.digest", "own.digest"}}, silentOldFile},
	{"a lower version asked for changes nothing", []cut{{"rules", "wants > current.version", "wants > 0"}}, lowerVersion},
	{"an emptied store is told what was in force", []cut{{"rules", "if memory.version > 0 and (current.version == 0 or hold and better) then", "if false then"}}, emptiedAndTold},
	{"who remembers nothing waits for the hold's end", []cut{{"rules", "if current.version == 0 and hold then return", "if false then return"},
		{"rules", "if refused == '' and wins and not hold then", "if refused == '' and wins then"}}, emptiedAndNotRemembered},
	{"the highest version told in a hold wins", []cut{{"rules", "local better = memory.version > current.version or", "local better ="}}, emptiedAndToldByTheOlder},
	{"what is remembered counts in a hold alone", []cut{{"rules", "or hold and better", "or better"}}, rememberedOfAnotherLife},
	{"in a hold no file changes what is in force", []cut{{"rules", "wins and not hold", "wins"}}, editedInAHold},
	{"who asks another ingest has no say", []cut{{"rules", "if refused == '' and not same_ingest and r[2] ~= host and", "if false and"}}, anotherIngest},
	{"announcements are by the rules in force", []cut{{"announce", "if rules ~= '' and", "if false and"}}, announcedByOldRules},
}

func TestEachGuardOfTheRulesIsNeeded(t *testing.T) {
	t.Parallel()
	for _, v := range ruleGuards {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if err := v.play(newStage(t)); err != nil {
				t.Fatalf("with the guard: %v", err)
			}
			g := newStage(t)
			for _, c := range v.cuts {
				if err := store.Alter(g.s, c.script, c.old, c.new); err != nil {
					t.Fatalf("the guard is written otherwise now, write it so here: %v", err)
				}
			}
			if err := v.play(g); err == nil {
				t.Fatal("without the guard nothing broke")
			}
		})
	}
}

func editedOldFile(g *stage) error {
	_, ham := made(g)
	ham.edits("old and more").offers()
	return g.ruled("v2 of ber: rec")
}

func startedOldFile(g *stage) error {
	_, ham := made(g)
	ham.reinstalled().offers()
	dus := g.author("dus", "older still")
	dus.offers()
	return g.ruled("v2 of ber: rec")
}

// ber goes back to what ham's file says. That is not what ham's was made from: who wrote it had not seen the way there.
func editedAfterThereAndBack(g *stage) error {
	ber, ham := made(g)
	ber.edits("old").offers()
	ber.edits("rec").offers()
	ber.edits("old").offers() // ham sees nothing of it
	ham.edits("mine").offers()
	return g.ruled("v5 of ber: old")
}

// A file that was agreed to differs only when others came into force.
func silentOldFile(g *stage) error {
	_, ham := made(g)
	ham.agreed = ham.memory // as if it had been edited without a reload
	ham.fresh = false
	ham.offers()
	return g.ruled("v2 of ber: rec")
}

func lowerVersion(g *stage) error {
	ber, ham := made(g)
	ber.wants = 7
	ber.edits("seven").offers()
	for _, wants := range []int64{6, 7} {
		ham.wants = wants
		ham.edits("six").offers()
	}
	if err := g.ruled("v7 of ber: seven"); err != nil {
		return err
	}
	ham.wants = 8
	ham.edits("eight").offers()
	if err := g.ruled("v8 of ham: eight"); err != nil {
		g.t.Fatal(err)
	}
	return nil
}

func emptiedAndTold(g *stage) error {
	_, ham := made(g)
	g.flush()
	ham.offers() // before anybody looked at the store
	if err := g.ruled("v2 of ber: rec"); err != nil {
		return err
	}
	g.flush()
	g.pass(30 * time.Second)
	ham.fresh = true
	ham.offers() // when the hold is long over: it would be the first
	return g.ruled("v2 of ber: rec")
}

func emptiedAndNotRemembered(g *stage) error {
	_, ham := made(g)
	g.flush()
	g.tick()
	if dus := g.author("dus", "old"); dus.offers() != store.RulesWait {
		return errors.New("a host that remembers nothing did not wait")
	}
	ham.offers()
	if err := g.ruled("v2 of ber: rec"); err != nil {
		return err
	}
	g.flush()
	g.tick()
	g.pass(30 * time.Second)
	if dus := g.author("dus", "new"); dus.offers() != store.RulesWon {
		g.t.Fatal("after the hold nobody may begin")
	}
	return nil
}

func emptiedAndToldByTheOlder(g *stage) error {
	ber, ham := made(g)
	ber.edits("newer").offers() // and ham was frozen
	g.flush()
	g.tick()
	ham.offers()
	g.must(g.ruled("v2 of ber: rec"))
	ber.offers()
	ham.offers()
	return g.ruled("v3 of ber: newer")
}

func rememberedOfAnotherLife(g *stage) error {
	_, ham := made(g)
	ham.memory.Version, ham.memory.Text = 40, "of another life"
	ham.offers()
	return g.ruled("v2 of ber: rec")
}

func editedInAHold(g *stage) error {
	ber, _ := made(g)
	g.must(g.client.HSet(g.ctx, "reaper", "until", g.c.us/1000+5000).Err())
	ber.edits("newer").offers()
	if err := g.ruled("v2 of ber: rec"); err != nil {
		return err
	}
	g.pass(6 * time.Second)
	ber.offers() // it is still fresh
	if err := g.ruled("v3 of ber: newer"); err != nil {
		g.t.Fatal(err)
	}
	return nil
}

func anotherIngest(g *stage) error {
	made(g)
	_, err := g.s.Announce(g.ctx, store.Poll{Source: "src", Poller: "ber", GoneAfter: time.Second, Info: store.SourceInfo{Type: "t", URL: "http://in", Digest: "x"}})
	g.must(err)
	dus := g.author("dus", "of another")
	dus.url, dus.wants = "http://other", 99
	dus.offers()
	return g.ruled("v2 of ber: rec")
}

func announcedByOldRules(g *stage) error {
	ber, ham := made(g)
	old := ham.memory
	ber.edits("newer").offers()
	r, err := g.s.Announce(g.ctx, store.Poll{Source: "src", Poller: "ham", Rules: old.ID(), GoneAfter: time.Second,
		Upsert: map[string]string{"s1": "by old rules"}, Info: store.SourceInfo{Type: "t", URL: "http://in"}})
	g.must(err)
	set, err := g.s.Announced(g.ctx, "src")
	g.must(err)
	if !r.Ruled || !r.Stale || len(set.Entries) > 0 {
		return fmt.Errorf("%+v, announced %v", r, set.Entries)
	}
	return nil
}

// TestWhoseFileDiffersIsToldAndForgotten: the note begins and ends, lasts while the host speaks, and is told once.
func TestWhoseFileDiffersIsToldAndForgotten(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	ber, ham := made(g)
	noted := func() string {
		_, files, err := g.s.RulesOf(g.ctx, "src")
		g.must(err)
		var out []string
		for _, f := range files {
			out = append(out, fmt.Sprintf("%s since %d: %s%s", f.Host, (f.Since-1_800_000_000_000)/1000, f.What, f.Refused))
		}
		return strings.Join(out, "; ")
	}
	begun := noted()
	if !strings.HasPrefix(begun, "ham since ") || !strings.HasSuffix(begun, ": old for rec") {
		t.Fatalf("noted: %q", begun)
	}
	for range 5 {
		g.pass(10 * time.Second)
		ham.offers()
	}
	if now := noted(); now != begun {
		t.Errorf("50 s later: %q, was %q", now, begun)
	}
	g.pass(31 * time.Second)
	if v, already, err := g.s.AcceptRules(g.ctx, "src", "ham"); err != nil || !already || v.Version != 2 {
		t.Errorf("accept what a host said that speaks no more: %v %v %v", v, already, err)
	}
	ham.offers()
	ham.edits("rec").offers()
	if now := noted(); now != "" || ham.last != store.RulesAgree {
		t.Errorf("of a file that agrees: %q, %s", now, ham.last)
	}
	ham.edits("mine").offers()
	if err := g.ruled("v3 of ham: mine"); err != nil {
		t.Error(err)
	}
	ber.offers()
	if v, already, err := g.s.AcceptRules(g.ctx, "src", "ber"); err != nil || already || v.Version != 4 {
		t.Errorf("accept: %v %v %v", v, already, err)
	}
	if err := g.ruled("v4 of ber: rec"); err != nil {
		t.Error(err)
	}
	ber.offers()
	if v, already, err := g.s.AcceptRules(g.ctx, "src", "ber"); err != nil || !already || v.Version != 4 {
		t.Errorf("accept again: %v %v %v", v, already, err)
	}
	ham.offers()
	g.must(g.client.HSet(g.ctx, "reaper", "until", g.c.us/1000+5000).Err())
	var hold *store.HoldError
	if _, _, err := g.s.AcceptRules(g.ctx, "src", "ham"); !errors.As(err, &hold) {
		t.Errorf("accept in a hold: %v", err)
	}
	events, err := g.client.XRange(g.ctx, "events", "-", "+").Result()
	g.must(err)
	var told []string
	for _, e := range events {
		switch e.Values["event"] {
		case "rules", "differs", "agrees":
			told = append(told, fmt.Sprintf("%s %s", e.Values["event"], stream.ParseReason(e.Values["reason"].(string))))
		}
	}
	want := []string{
		"rules src: v1 of ham, the first",
		"rules src: v2 of ber: rec for old",
		"differs src: the file of ham differs: old for rec; v2 of ber stays in force",
		"agrees src: the file of ham says what is in force",
		"rules src: v3 of ham: mine for rec",
		"differs src: the file of ber differs: rec for mine; v3 of ham stays in force",
		"rules src: v4 of ber, accepted by test: rec for mine",
		"agrees src: the file of ber says what is in force",
		"differs src: the file of ham differs: mine for rec; v4 of ber stays in force",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
