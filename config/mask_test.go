package config

import (
	"strings"
	"testing"
)

func TestPasswordsAreMasked(t *testing.T) {
	for text, masked := range map[string]string{
		"redis://:pw@h/0":                      "redis://:***@h/0",
		"http://u:pw@h http://v:x@i":           "http://u:***@h http://v:***@i",
		"http://u@h:80/a:b@c":                  "http://u@h:80/a:b@c",
		"redis://:${file:/run/x}@h":            "redis://:${file:/run/x}@h",
		"redis://:${env:PW:-pw}@h":             "redis://:${env:PW:-***}@h",
		"redis://:pre${env:PW}@h":              "redis://:***@h",
		"redis+sentinel://u:pw@master@h1,h2/0": "redis+sentinel://u:***@master@h1,h2/0",
		"no url at all":                        "no url at all",
	} {
		want(t, text, maskURL(text), masked)
	}
	want(t, "by name", maskValue("DB_PASSWORD", "x"), "***")
	want(t, "a reference by name", maskValue("token", "${file:/x}"), "${file:/x}")
	want(t, "other names", maskValue("passthrough", "x"), "x")
}

func TestAMaskedLineKeepsItsLength(t *testing.T) {
	for line, masked := range map[string]string{
		`  redis: redis://:hunter2@h/0`:               `  redis: redis://:*******@h/0`,
		`  password: "hünter2"  # why`:                `  password: *********  # why`,
		`env: {DB_PASS: hunter2, key: "${env:A}"}`:    `env: {DB_PASS: *******, key: "${env:A}"}`,
		`token_file: relative/x`:                      `token_file: relative/x`,
		`password: ${file:/run/x}`:                    `password: ${file:/run/x}`,
		`{user: admin, password: 'hunter2', x: true}`: `{user: admin, password: *********, x: true}`,
	} {
		got := maskLine(line)
		want(t, line, got, masked)
		if len([]rune(got)) != len([]rune(line)) {
			t.Errorf("%q changed its length to %q", line, got)
		}
	}
}

func TestSuggestions(t *testing.T) {
	candidates := []string{"capacity", "chain", "url", "stream_filter", "name"}
	for word, best := range map[string]string{
		"capcity": "capacity", "Capacity": "capacity", "chian": "chain", "ulr": "url", "stream_fliter": "stream_filter",
		"colour": "", "x": "", "name": "", strings.Repeat("a", 100): "",
	} {
		got := suggest(word, candidates)
		if best == "" && got != "" || best != "" && !strings.Contains(got, `"`+best+`"`) {
			t.Errorf("%s: got %q, want %q", word, got, best)
		}
	}
}

func TestTheCaretStandsUnderItsPlace(t *testing.T) {
	long := strings.Repeat("a", 300) + "X" + strings.Repeat("b", 300)
	for line, column := range map[string]int{
		"X": 1, "  äX": 4, "\tX": 2, long: 301, "aX\x1b[31m": 2,
	} {
		shown := strings.Split(Problem{Position: Position{"f", 7, column}, Message: "m", Text: line}.String(), "\n")
		if len(shown) != 3 {
			t.Fatalf("%q", shown)
		}
		caret := strings.IndexByte(shown[2], '^')
		if cells := []rune(shown[1]); caret >= len(cells) || cells[caret] != 'X' {
			t.Errorf("the caret is wrong:\n%s\n%s", shown[1], shown[2])
		}
		if strings.ContainsAny(shown[1], "\x1b\t") {
			t.Errorf("control characters are shown: %q", shown[1])
		}
	}
	// A column past the end, as of something missing, must not crash.
	_ = Problem{Position: Position{"f", 1, 99}, Message: "m", Text: "short"}.String()
}
