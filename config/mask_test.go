package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestPasswordsAreMasked(t *testing.T) {
	for text, masked := range map[string]string{
		"redis://:pw@h/0":                      "redis://:***@h/0",
		"http://u:pw@h http://v:x@i":           "http://u:***@h http://v:***@i",
		"http://u@h:80/a:b@c":                  "http://u@h:80/a:b@c",
		"redis://:${file:/run/x}@h":            "redis://:${file:/run/x}@h",
		"redis://:${env:PW:-pw}@h":             "redis://:${env:PW:-***}@h",
		"redis://:pre${env:PW}@h":              "redis://:***@h",
		"redis+sentinel://u:pw@master@h1,h2/0": "redis+sentinel://u:***@h1,h2/0",
		"no url at all":                        "no url at all",
		"http://${host:ip}:8000/a@b":           "http://${host:ip}:8000/a@b",
		"http://${host:ip}/a@b":                "http://${host:ip}/a@b",
		"icecast://${host:u}:pw@h":             "icecast://${host:u}:***@h",
		"redis://:${env:PW}pw@h":               "redis://:***@h",
		"redis://:it's#pw@h/0":                 "redis://:***@h/0",
		"u:pw@h:6379":                          "u:***@h:6379",
		"redis//u:pw@h":                        "redis//u:***@h",
		"u:${env:PW}@h":                        "u:${env:PW}@h",
		"redis://u:pw":                         "redis://u:***",
		"srt://h:1?mode=x&passphrase=pw":       "srt://h:1?mode=x&passphrase=***",
		"http://h/?token=${file:/run/t}&x=1":   "http://h/?token=${file:/run/t}&x=1",
	} {
		want(t, text, maskURL(text), masked)
	}
	want(t, "by name", maskValue("DB_PASSWORD", "x"), "***")
	want(t, "a reference by name", maskValue("token", "${file:/x}"), "${file:/x}")
	want(t, "other names", maskValue("passthrough", "x"), "x")
}

func TestAMaskedLineKeepsItsLength(t *testing.T) {
	for line, masked := range map[string]string{
		`  redis: redis://:hunter2@h/0`:                         `  redis: redis://:*******@h/0`,
		`  password: "hünter2"  # why`:                          `  password: *********  # why`,
		`env: {DB_PASS: hunter2, key: "${env:A}"}`:              `env: {DB_PASS: *******, key: "${env:A}"}`,
		`token_file: relative/x`:                                `token_file: relative/x`,
		`password: ${file:/run/x}`:                              `password: ${file:/run/x}`,
		`{user: admin, password: 'hunter2', x: true}`:           `{user: admin, password: *********, x: true}`,
		`  PASSWORD: '${env:X}$hunter2'`:                        `  PASSWORD: ******************`,
		`  password: [hunter2]`:                                 `  password: *********`,
		`  password: /hunter2`:                                  `  password: ********`,
		`  password: hun,ter}2 # x`:                             `  password: *************`,
		`  password: "hun\"ter2" # x`:                           `  password: *********** # x`,
		`  password: "hunter2`:                                  `  password: ********`,
		`  password: "${env:A:-hunter2}"`:                       `  password: "${env:A:-*******}"`,
		`{"psk":"hunter2","x":1}`:                               `{"psk":*********,"x":1}`,
		`redis: "redis://:hun'ter#2@h/0"`:                       `redis: "redis://:*********@h/0"`,
		`redis: "redis://:hun ter2@h/0"`:                        `redis: "redis://:********@h/0"`,
		`redis: 'u:hunter2@h'`:                                  `redis: 'u:*******@h'`,
		`{url: "srt://h:1?token=hunter2", x: y}`:                `{url: "srt://h:1?token=*******", x: y}`,
		`{url: "http://h:80/x", mail: "a@b"}`:                   `{url: "http://h:80/x", mail: "a@b"}`,
		`args: [--password=hunter2, key=x, "--token=${env:T}"]`: `args: [--password=*******, key=x, "--token=${env:T}"]`,
		`args: ["t-${slot:token}", x]`:                          `args: ["t-${slot:token}", x]`,
	} {
		got := maskLine(line)
		want(t, line, got, masked)
		if len([]rune(got)) != len([]rune(line)) {
			t.Errorf("%q changed its length to %q", line, got)
		}
	}
}

// Each text is wrong, or holds a secret, in a way of its own; "heim" is in
// every secret, and nowhere else.
func TestNoSecretIsRepeated(t *testing.T) {
	poll := func(vars string) string {
		return "sources: [{plugin: poll, chain: [dist], vars: {" + vars + "}}]"
	}
	env := func(lines string) string {
		return "services:\n  dist:\n    plugin:\n      name: exec\n      path: /bin/sh\n      env:\n        " + strings.ReplaceAll(lines, "\n", "\n        ")
	}
	for _, text := range []string{
		`network: {redis: "u:geheim@h:6379"}`,
		`network: {redis: "redis//u:geheim@h"}`,
		`network: {redis: "redis:/u:geheim@h"}`,
		`network: {redis: "redis://u:ge'heim@h/x"}`,
		`network: {redis: "redis://u:ge heim@h/x"}`,
		`network: {redis: "redis://u:ge/heim@h"}`,
		`network: {redis: "redis://u:geheim"}`,
		`network: {redis: "redis://u:${env:X}/geheim@h"}`,
		`network: {redis: "redis://u:ge:heim"}`,
		`network: {redis: "u:geheim@redis://h"}`,
		`network: {redis: "unix://u:ge?heim@/run/x"}`,
		`network: {redis: "unix:///run/x?password=geheim"}`,
		`network: {redis: "redis://:it's#geheim@h/0"}`,
		poll(`url: "u:geheim@h:8000"`),
		poll(`url: "http://u:gehe/heim@h:x"`),
		poll(`url: "http://u:%zzheim@h"`),
		poll(`url: "http://h:8000/?token=geheim"`),
		poll(`url: "http://h", user: u, password: [geheim]`),
		poll(`url: "http://h", user: u, password: {ge: heim}`),
		poll(`url: "http://h", user: u, password: "$geheim"`),
		"web: {listen: \"127.0.0.1:1\", token: geheim}",
		"web:\n  listen: \"127.0.0.1:1\"\n  token:\n    geheim",
		"web:\n  listen: \"127.0.0.1:1\"\n  token:\n    - geheim",
		"network: {vars: {password: 'geheim${'}}",
		env("PASSWORD: '${env:X}$geheimer'"),
		env("PASSWORD:\n  ge$heim"),
		env("PASSWORD:\n  ge: heim"),
		env("PASSWORD: *geheim"),
		env("PASSWORD: !geheim x"),
		env("PASSWORD: \"ge\n  heim"),
		env("PASSWORD: ge: heim"),
		env("PASSWORD:\n  ge: x: heim"),
		env("PASSWORD: geheim\nPASSWORD: geheim"),
		"services: {x: {plugin: {name: exec, path: /bin/sh, args: [-p, --password=geheim, -e, PASSWORD=geheim, \"a --psk=geheim\"]}}}",
		env("{SRT_PASSPHRASE: geheim, passphrase: geheim, PWD: geheim}"),
		env(`PUSH: "srt://h:1?passphrase=geheim"` + "\n" + `PULL: "http://h/?token=geheim"` + "\n" + `TO: u:geheim@h`),
	} {
		var shown strings.Builder
		c, err := load(testHostname, File{Name: "x.yaml", Data: []byte(text)})
		if err != nil {
			shown.WriteString(err.Error())
		} else if err := c.Describe(&shown); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(shown.String(), "heim") {
			t.Errorf("shown of\n%s\n\n%s", text, shown.String())
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

// TestTheFilesMaskerHidesWhatThatOfTheStreamHides: one table of cases holds for both. This
// one hides more, never less, and shows the same of what both show.
func TestTheFilesMaskerHidesWhatThatOfTheStreamHides(t *testing.T) {
	text, err := os.ReadFile("../stream/testdata/masks.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		in, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			continue
		}
		n++
		if got := maskURL(in); got != want {
			t.Errorf("%q is shown as %q; package stream shows %q", in, got, want)
		}
		// A line of the file keeps its length: as many stars as there were characters.
		if got := regexp.MustCompile(`\*+`).ReplaceAllString(maskLine(in), stream.Masked); got != want {
			t.Errorf("the line %q is shown as %q; package stream shows %q", in, got, want)
		}
	}
	if n < 20 {
		t.Errorf("%d cases", n)
	}
}
