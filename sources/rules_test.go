package sources

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

// written is a source with every kind of rule.
func written() Config {
	high := 100
	return timed(Config{
		Name: "x", Type: "mediamtx", URL: "http://in:9997", Match: regexp.MustCompile("^live/s<>"), Strip: "live/",
		Pull: "srt://${host:site}:8890?streamid=read:${stream:key}", SourceVars: map[string]string{"url": "rtmp://${host:site}", "site": "alb"},
		Labels: stream.Labels{"site": "${host:site}"},
		Chain:  []string{"dist", "record"}, Priority: 7, Rank: "3", Expect: []string{"s2", "s1"},
		Rules: []Rule{
			{Match: regexp.MustCompile(`^(?P<room>s\d)`), Chain: []string{}, Vars: map[string]string{"lang": "de"}},
			{Match: regexp.MustCompile("^t"), Priority: &high},
			{Match: regexp.MustCompile("^u"), Chain: []string{"thumb"}, Items: stream.Items{"thumb": {Vars: map[string]string{"w": "320", "api_token": "puller"}}}},
		},
	})
}

func TestRulesReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	static := timed(Config{Name: "f", Plugin: PluginStatic, Chain: []string{"dist"}, Mounts: []stream.Mount{{Key: "b"}, {Key: "a", Vars: map[string]string{"lang": "de"}}}})
	for _, c := range []Config{written(), static, timed(Config{Name: "e", URL: "http://in"})} {
		r := c.rules()
		text := r.Encode()
		read, err := DecodeRules(text)
		if err != nil || read.Encode() != text {
			t.Fatalf("%v: %s became %s", err, text, read.Encode())
		}
		again, err := c.under(read)
		if err != nil || again.rules().Encode() != text {
			t.Errorf("%v: %s became %s", err, text, again.rules().Encode())
		}
		if what := r.Differences(read); what != "" {
			t.Errorf("a difference from itself: %q", what)
		}
	}
	if c := written(); !strings.Contains(c.rules().Encode(), "${host:site}") || !strings.Contains(c.rules().Encode(), "<>") {
		t.Errorf("not as it is written: %s", c.rules().Encode())
	}
}

// What is asked, and as whom, is nobody's rule; order that means nothing makes none another.
func TestRulesHoldNoAddressAndNoSecret(t *testing.T) {
	t.Parallel()
	c := written()
	other := c
	other.URL, other.User, other.Password, other.CA, other.Interval, other.Command = "http://other", "admin", "hush", "/ca", time.Hour, []string{"list", "--token=hush"}
	other.Expect = []string{"s1", "s2"}
	if was, is := c.rules().Encode(), other.rules().Encode(); was != is || strings.Contains(is, "hush") || strings.Contains(is, "http://") {
		t.Errorf("%s became %s", was, is)
	}
}

func TestRulesOfANewerProgramAreNotFollowed(t *testing.T) {
	t.Parallel()
	text := strings.Replace(new(Rules).Encode(), `"gone_after"`, `"colours":{"site":"alb"},"gone_after"`, 1)
	if _, err := DecodeRules(text); err == nil || !strings.Contains(err.Error(), "colours") {
		t.Errorf("%v; want it to name what is not known", err)
	}
}

func TestDifferencesAreToldInAFewWords(t *testing.T) {
	t.Parallel()
	low := 1
	for want, change := range map[string]func(c *Config){
		"record goes":                  func(c *Config) { c.Chain = []string{"dist"} },
		"thumb comes":                  func(c *Config) { c.Chain = []string{"dist", "record", "thumb"} },
		"record goes, thumb comes":     func(c *Config) { c.Chain = []string{"dist", "thumb"} },
		"the chain has another order":  func(c *Config) { c.Chain = []string{"record", "dist"} },
		"match ^live/s<> becomes none": func(c *Config) { c.Match = nil },
		"strip live/ becomes none":     func(c *Config) { c.Strip = "" },
		"gone_after 1m0s becomes 1s":   func(c *Config) { c.GoneAfter = time.Second },
		"priority 7 becomes 8":         func(c *Config) { c.Priority = 8 },
		"rank 3 becomes 0":             func(c *Config) { c.Rank = "" },
		"expected stream s2 goes":      func(c *Config) { c.Expect = []string{"s1"} },
		"rule ^t goes":                 func(c *Config) { c.Rules = []Rule{c.Rules[0], c.Rules[2]} },
		"rules have another order":     func(c *Config) { c.Rules = []Rule{c.Rules[1], c.Rules[0], c.Rules[2]} },
		"rule ^t changes":              func(c *Config) { c.Rules = []Rule{c.Rules[0], {Match: c.Rules[1].Match, Priority: &low}, c.Rules[2]} },
		"rule ^t: thumb comes": func(c *Config) {
			c.Rules = []Rule{c.Rules[0], {Match: c.Rules[1].Match, Chain: []string{"thumb"}}, c.Rules[2]}
		},
		"what dependants see of the source changes": func(c *Config) { c.SourceVars = nil },
		"record becomes of type dump":               func(c *Config) { c.Items = stream.Items{"record": {Type: "dump"}, "dist": {}} },
		"record changes":                            func(c *Config) { c.Items = stream.Items{"record": {Vars: map[string]string{"keep": "30d"}}} },
		"rule ^u: thumb changes": func(c *Config) {
			c.Rules = append(slices.Clone(c.Rules[:2]), Rule{Match: c.Rules[2].Match, Chain: c.Rules[2].Chain, Items: stream.Items{"thumb": {}}})
		},
		"job upload comes": func(c *Config) { c.Items = stream.Items{"upload": {Of: "record"}} },
		"rule ^u: job upload comes": func(c *Config) {
			items := stream.Items{"thumb": c.Rules[2].Items["thumb"], "upload": {Of: "thumb"}}
			c.Rules = append(slices.Clone(c.Rules[:2]), Rule{Match: c.Rules[2].Match, Chain: c.Rules[2].Chain, Items: items})
		},
		"stream f comes": func(c *Config) { c.Mounts = []stream.Mount{{Key: "f"}} },
		"4 streams come": func(c *Config) { c.Mounts = []stream.Mount{{Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}} },
		"labels site=${host:site} become site=alb": func(c *Config) { c.Labels = stream.Labels{"site": "alb"} },
	} {
		was, is := written(), written()
		change(&is)
		if got := was.rules().Differences(is.rules()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		lines := Compare(was.rules().Lines(), is.rules().Lines())
		if !slices.ContainsFunc(lines, func(l string) bool { return l[0] != ' ' }) {
			t.Errorf("%s: line by line nothing differs:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

// The password of a URL that is cut off before its @ would not be known as one.
func TestADifferenceThatIsCutHidesThePassword(t *testing.T) {
	t.Parallel()
	was, is := written(), written()
	is.Pull = "rtmp://puller:hush" + strings.Repeat("x", 2*toldBytes) + "@ingest/live"
	if got := was.rules().Differences(is.rules()); strings.Contains(got, "hush") || !strings.Contains(got, "rtmp://puller:***@ingest/live") {
		t.Errorf("%q", got)
	}
}

func TestLinesAreComparedOneByOne(t *testing.T) {
	t.Parallel()
	was := []string{"a", "b", "c", "d", "e"}
	got := strings.Join(Compare(was, []string{"a", "c", "x", "d", "e", "f"}), "|")
	if got != "  a|- b|  c|+ x|  d|  e|+ f" {
		t.Error(got)
	}
	if got := strings.Join(Compare(was, nil), "|"); got != "- a|- b|- c|- d|- e" {
		t.Error(got)
	}
	many := make([]string, 3000)
	for i := range many {
		many[i] = string(rune('a' + i%26))
	}
	if got := Compare(append([]string{"x"}, many...), append(many, "y")); len(got) != 6002 {
		t.Errorf("%d lines", len(got))
	}
}

// A mere name in the chain of a rule means the source's item of that name.
func TestAStreamGetsTheItemsOfItsChain(t *testing.T) {
	t.Parallel()
	c := written()
	c.Match, c.Strip = nil, ""
	c.Items = stream.Items{"record": {Type: "dump"}, "dist": {Type: "dist"}}
	c.Rules = []Rule{
		{Match: regexp.MustCompile("^a"), Chain: []string{"thumb", "record"}},
		{Match: regexp.MustCompile("^b"), Chain: []string{"record"}, Items: stream.Items{"record": {}}},
		{Match: regexp.MustCompile("^c"), Chain: []string{}},
	}
	c.Resolve = func(text string) (string, error) { return strings.ReplaceAll(text, "${host:site}", "alb"), nil }
	c.URL = "http://in"
	c, err := c.complete()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"s1": `{"record":{"type":"dump"}}`, "a1": `{"record":{"type":"dump"}}`, "b1": "", "c1": ""} {
		v := c.judge(stream.Mount{Key: key})
		if got := v.announcement.Items.Encode(); got != want || v.refused != "" {
			t.Errorf("%s gets %s %s, want %s", key, got, v.refused, want)
		}
		if strings.Contains(v.encoded, `"items"`) != (want != "") || strings.Contains(v.encoded, `{}`) {
			t.Errorf("%s is announced as %s", key, v.encoded)
		}
	}
	lines := strings.Join(c.rules().Lines(), "\n")
	if !strings.Contains(lines, `  - {"slot":"record","type":"dump"}`) || !strings.Contains(lines, "      - record\n") || !strings.Contains(lines, `      - {"slot":"record"}`) {
		t.Errorf("line by line:\n%s", lines)
	}
}

func TestSecretsAreMaskedLineByLine(t *testing.T) {
	t.Parallel()
	c := timed(Config{
		Name: "f", Plugin: PluginStatic, Mounts: []stream.Mount{{Key: "a", Vars: map[string]string{"password": "hush"}}},
		SourceVars: map[string]string{"url": "rtmp://u:hush@in"}, Rules: []Rule{{Match: regexp.MustCompile("^a"), Vars: map[string]string{"api_token": "hush"}}},
	})
	c.Rules = append(c.Rules, written().Rules[2])
	if text := strings.Join(c.rules().Lines(), "\n"); strings.Contains(text, "hush") || strings.Contains(text, "puller") || !strings.Contains(text, "***") {
		t.Error(text)
	}
}

// A rank is one number however it is written; what ${host:…} makes of it must be
// the same at all who poll the source.
func TestARankMayBeOfTheHost(t *testing.T) {
	t.Parallel()
	of := func(rank, here string) Config {
		c := Config{Name: "in", URL: "http://in:8000", Chain: []string{"dist"}, Rank: rank}
		c.Resolve = func(text string) (string, error) { return strings.ReplaceAll(text, "${host:rank}", here), nil }
		return timed(c)
	}
	for _, row := range []struct {
		written, here, rule string
		want                int
	}{{"", "", "", 0}, {"0", "", "", 0}, {"007", "", "7", 7}, {"${host:rank}", "-30", "${host:rank}", -30}, {"-${host:rank}", "3", "-${host:rank}", -3}} {
		written := of(row.written, row.here)
		c, err := written.complete()
		if err != nil {
			t.Fatalf("%q: %v", row.written, err)
		}
		if got := written.rules().Rank; got != row.rule {
			t.Errorf("%q is the rule %q, want %q", row.written, got, row.rule)
		}
		if v := c.judge(stream.Mount{Key: "s1"}); v.announcement.Rank != row.want {
			t.Errorf("%q with %q announces rank %d, want %d", row.written, row.here, v.announcement.Rank, row.want)
		}
	}
	if _, err := of("${host:rank}", "high").complete(); err == nil || !strings.Contains(err.Error(), "-1000 to 1000") {
		t.Errorf("a rank that is no number: %v", err)
	}
	ten, err1 := of("${host:rank}", "10").complete()
	twenty, err2 := of("${host:rank}", "20").complete()
	if err1 != nil || err2 != nil || ten.digest() == twenty.digest() {
		t.Errorf("two hosts with different ranks of one source go for the same: %v, %v", err1, err2)
	}
}

// TestAStreamSaysWhereItsSourceStands: by the rules in force, with what the host makes of them.
func TestAStreamSaysWhereItsSourceStands(t *testing.T) {
	t.Parallel()
	of := func(here string, labels stream.Labels) (Config, error) {
		c := Config{Name: "in", URL: "http://in:8000", Chain: []string{"dist"}, Labels: labels}
		c.Resolve = func(text string) (string, error) { return strings.ReplaceAll(text, "${host:site}", here), nil }
		return timed(c).complete()
	}
	c, err := of("ber", stream.Labels{"site": "${host:site}", "region": ""})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.judge(stream.Mount{Key: "s1"}).announcement.Labels.Encode(); got != `{"site":"ber"}` {
		t.Errorf("announced with the labels %s", got)
	}
	if other, err := of("ham", stream.Labels{"site": "${host:site}"}); err != nil || other.digest() == c.digest() {
		t.Errorf("two hosts that place one source elsewhere go for the same: %v", err)
	}
	if _, err := of("b er", stream.Labels{"site": "${host:site}"}); err == nil || !strings.Contains(err.Error(), "no value of a label") {
		t.Errorf("a label with a blank: %v", err)
	}
}
