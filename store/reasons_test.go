package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"stream-api/lua"
	"stream-api/store"
	"stream-api/stream"
)

var (
	becauseCall = regexp.MustCompile(`because\('([^']*)'((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)`)
	factName    = regexp.MustCompile(`, '([a-z]+)', `)
)

// TestScriptsGiveReasonsThatGoKnows: a code that the program has, its facts in
// order, so that equal reasons are equal texts, and enough of them for a sentence.
func TestScriptsGiveReasonsThatGoKnows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../lua/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	includes, _ := filepath.Glob("../lua/include/*.lua")
	calls := 0
	for _, file := range slices.Concat(files, includes) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range becauseCall.FindAllStringSubmatch(string(text), -1) {
			calls++
			r, names := stream.Because(stream.Code(m[1])), []string{}
			for _, f := range factName.FindAllStringSubmatch(m[2], -1) {
				names = append(names, f[1])
				r = r.With(f[1], "x")
			}
			if !slices.IsSorted(names) {
				t.Errorf("%s: the facts of %s are not in order", file, m[0])
			}
			if !slices.Contains(stream.Codes(), r.Code) {
				t.Errorf("%s: %s is no code of stream/reasons.go", file, m[1])
			}
			if len(names) > 0 && regexp.MustCompile(`^`+m[1]+` \(`).MatchString(r.String()) {
				t.Errorf("%s: %s has no sentence for %v", file, m[0], names)
			}
		}
	}
	if calls < 50 {
		t.Errorf("only %d reasons were looked at", calls)
	}
}

// TestBecauseIsTheWireOfAReason: whatever a stranger's text holds.
func TestBecauseIsTheWireOfAReason(t *testing.T) {
	t.Parallel()
	scripts, err := lua.Load(lua.Server)
	if err != nil || scripts["note"].Text == "" {
		t.Fatal(err)
	}
	head, err := os.ReadFile("../lua/include/because.lua")
	if err != nil {
		t.Fatal(err)
	}
	g := newStage(t)
	for _, value := range []string{"x", "", `a "quoted" \ text`, "line\nand\ttab\x1b[2J\x7f", "Grüße €", "{}[]|"} {
		got, err := g.client.Eval(t.Context(), string(head)+"return because('exited', 'exit', ARGV[1], 'times', 3)", nil, value).Text()
		if err != nil {
			t.Fatal(err)
		}
		if want := stream.Because(stream.CodeExited, "exit", value, "times", "3"); !stream.ParseReason(got).Is(want) {
			t.Errorf("%q in a script is %s, want %s", value, got, want.Wire())
		}
	}
}

// TestANewersCodeAndAHandsWordAreShown: in the picture, in the feed and to who asks
// for the record, and no script stumbles over either.
func TestANewersCodeAndAHandsWordAreShown(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]string{`apart {"from":"playout","host":"ham"}`: "apart (from playout, host ham)", "I am at it": "I am at it"} {
		g := newStage(t).open()
		g.host("a")
		g.want("s1")
		g.must(g.client.HSet(t.Context(), "stream:s1:enc.1", "reason", wire).Err())
		g.must(g.client.HSet(t.Context(), "stream:s1", "sys:reason", wire).Err())
		g.must(g.client.HSet(t.Context(), "service:enc:a", "reason", wire).Err())
		status, err := g.s.Status(t.Context())
		g.must(err)
		v := status.Streams[0]
		for what, told := range map[string]stream.Told{"slot": v.Slots[0].Told, "stream": v.Told, "service": status.Hosts[0].Services[0].Told} {
			if told.Reason != want || told.Severity != stream.Warn {
				t.Errorf("the %s says %+v, want %q", what, told, want)
			}
		}
		news, err := g.s.Note(t.Context(), store.Noted{Key: "s1", Instance: "enc.1", Reason: stream.ParseReason(wire)})
		if err != nil || news != 0 {
			t.Errorf("noting the same is news: %d, %v", news, err)
		}
	}
}
