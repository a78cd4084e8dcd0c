package stream

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestAReasonIsWhatItsWireSays(t *testing.T) {
	t.Parallel()
	failed := Because(CodeFailed, "exit", `exit "1" <a> ü`, "times", "5")
	for _, r := range []Reason{
		{}, Because(CodeEnded), failed,
		Because(CodePinned, "host", "a").After(Because(CodeCooldown, "cooling", "a").After(failed)),
		Because(CodeNotMoved).After(ParseReason("a hand wrote this")),
		ParseReason("a hand wrote this"), ParseReason("maintenance"), ParseReason(`full {"half`), ParseReason("full 3/3"), ParseReason("Full"),
	} {
		got := ParseReason(r.Wire())
		if !got.Is(r) || got.String() != r.String() || got.Wire() != r.Wire() || !got.Cause().Is(r.Cause()) {
			t.Errorf("%q is read as %q", r.Wire(), got.Wire())
		}
		text, err := json.Marshal(r)
		var back Reason
		if err != nil || json.Unmarshal(text, &back) != nil || !back.Is(r) {
			t.Errorf("%q is %s in a file, and read as %q", r.Wire(), text, back.Wire())
		}
	}
}

func TestTheCauseOfACauseIsKept(t *testing.T) {
	t.Parallel()
	failed := Because(CodeFailed, "exit", "exit 1", "times", "5")
	r := Because(CodeNotMoved).After(Because(CodePinned, "host", "a").After(Because(CodeCooldown, "cooling", "a").After(failed)))
	if got := r.Cause().Cause().Cause(); !got.Is(failed) {
		t.Errorf("the last cause is %q", got.Wire())
	}
	if got, want := r.String(), "not moved: pinned to a: cooling down on a: exit 1; failed 5 times here"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A script nests a reason as a text.
	if got, want := ParseReason(`hold {"cause":"unwatched {\"seconds\":\"12\"}","ms":"5000"}`).String(), "no scheduler has looked for 12 s; nothing is taken or given for 5000 ms"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestWhatIsNotKnownIsShownLegibly: what a newer program or a hand wrote.
func TestWhatIsNotKnownIsShownLegibly(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]string{
		`apart {"from":"playout","host":"ham"}`:                     "apart (from playout, host ham)",
		`pool {"size":8,"used":["a","b"]}`:                          `pool (size 8, used ["a","b"])`,
		`tomorrow {"slot":"hls","cause":"full","cause.full":"8/8"}`: "tomorrow (slot hls): all that match and are up are full: 8/8",
		`full`:           "full",
		`full {"x":"1"}`: "full (x 1)",
		`maintenance`:    "maintenance",
		`I am at it`:     "I am at it",
		`full {"half`:    `full {"half`,
		`full null`:      "full null",
	} {
		r := ParseReason(wire)
		if got := r.String(); got != want {
			t.Errorf("%s is shown as %q, want %q", wire, got, want)
		}
		if told := r.Told(); told.Reason != want || told.Code == "" && told.Facts != nil || told.Severity != Warn {
			t.Errorf("%s is told as %+v", wire, told)
		}
		if r.Code.Waits() == "" {
			t.Errorf("%s has no class for metrics", wire)
		}
	}
	if got := (Reason{}).Told(); got.Reason != "" || got.Severity != "" {
		t.Errorf("no reason is told as %+v", got)
	}
}

func TestEveryCodeHasASentenceAndASeverity(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		row := reasons[code]
		if row.severity != Info && row.severity != Warn && row.severity != Bad {
			t.Errorf("%s has the severity %q", code, row.severity)
		}
		if !codePattern.MatchString(string(code)) || len(row.sentence) == 0 {
			t.Errorf("%q is no code with a sentence", code)
		}
		r := Because(code)
		for _, p := range row.sentence {
			for _, line := range p.lines {
				for _, g := range line {
					switch {
					case !g.has:
					case !regexp.MustCompile(`^[a-z]+$`).MatchString(g.fact) || SecretName(g.fact):
						t.Errorf("%s has a fact called %q", code, g.fact)
					case g.must != "":
						r = r.With(g.fact, g.must)
					default:
						r = r.With(g.fact, "x")
					}
				}
			}
		}
		if text, complete := row.sentence.fill(r); !complete || strings.ContainsAny(text, "{}[]|") {
			t.Errorf("%s with all its facts says %q", code, text)
		}
	}
}

// TestFactsAreMaskedAsTheSentenceIs: both are a stranger's text.
func TestFactsAreMaskedAsTheSentenceIs(t *testing.T) {
	t.Parallel()
	told := Because(CodeCannotStart, "error", "cannot open http://u:hunter2@h/x?token=hunter2\x1b[2J").Told()
	Show(&told)
	if text, _ := json.Marshal(told); strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "u001b") || told.Facts["error"] == "" {
		t.Errorf("it is shown as %s", text)
	}
}

func FuzzParseReason(f *testing.F) {
	for _, wire := range []string{"", "ended", `full {"full":"1/1"}`, `hold {"cause":"hold {\"cause\":\"hold\"}"}`, "x {", `a {"cause":"a","cause.cause":"a"}`} {
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		r := ParseReason(wire)
		if (r.String() == "") != (wire == "") {
			t.Errorf("%q is shown as %q", wire, r.String())
		}
		if again := ParseReason(r.Wire()); again.String() != r.String() {
			t.Errorf("%q is %q, then %q", wire, r.String(), again.String())
		}
	})
}
