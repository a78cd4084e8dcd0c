package lua

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// head is the contract at the top of a script.
type head struct{ touches, args, returns, twice string }

var headPattern = regexp.MustCompile(`(?s)^-- (\w+): .*?\n-- KEYS: none\.(?: Touches (.*?)\.)?\n-- ARGV: ns, actor(.*?)\n-- RETURN: (.*?)\n-- TWICE: (.*?)\n(?:local|redis|--  )`)

// scripts reads every script as written, without includes expanded.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.lua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	texts := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(file, ".lua")] = string(raw)
	}
	return texts
}

func readHead(t *testing.T, name, text string) head {
	t.Helper()
	m := headPattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s.lua has no head of the form: what it does; KEYS; ARGV; RETURN; TWICE", name)
	}
	if m[1] != name {
		t.Errorf("%s.lua calls itself %s", name, m[1])
	}
	return head{touches: m[2], args: m[3], returns: m[4], twice: m[5]}
}

// families are the key families as the heads name them, by how a key begins.
var families = []struct{ literal, name string }{
	{"service:", "service:<type>:<host>"}, {"host:", "host:<host>"}, {"hosts:lease", "hosts:lease"}, {"unwell", "unwell"}, {"hosts", "hosts"},
	{"types:wanted", "types:wanted"}, {"types", "types"}, {"slots:", "slots:<host>"}, {"stream:", "stream:<key>"},
	{"streams", "streams"}, {"pending:", "pending:<type>"}, {"load:", "load:<type>:<class>"}, {"classes:", "classes:<type>"},
	{"outbox", "outbox"}, {"dirty", "dirty"}, {"requeue", "requeue"}, {"moves", "moves"}, {"announced:", "announced:<source>"},
	{"missing:", "missing:<source>"}, {"differs:", "differs:<source>"}, {"source:", "source:<source>"}, {"sources", "sources"}, {"override:", "override:<key>"},
	{"reaper", "reaper"}, {"seats", "seats"}, {"draining", "draining"}, {"jobs:made", "jobs:made"}, {"jobs:done", "jobs:done"}, {"jobs", "jobs"}, {"job:", "job:<key>:<instance>"}, {"refused", "refused"}, {"troubles", "troubles"}, {"token", "token"}, {"events", "events"}, {"schema", "schema"},
}

var (
	keyLiteral  = regexp.MustCompile(`ns \.\. '([a-z:]+)'`)
	includeLine = regexp.MustCompile(`(?m)^-- include: (\w+)$`)
)

// functions splits an include into its functions; what stands outside of them
// has the name ”.
func functions(text string) map[string]string {
	out, name := map[string]string{}, ""
	for line := range strings.Lines(text) {
		began, begins := functionOf(line)
		if begins {
			name = began
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			out[name] += line
		}
		if strings.TrimRight(line, "\n") == "end" || begins && strings.HasSuffix(strings.TrimSpace(line), "end") {
			name = ""
		}
	}
	return out
}

// touched finds the families a script's body uses: its own and those of the
// functions of includes that it calls, however deep.
func touched(t *testing.T, text string) map[string]bool {
	t.Helper()
	library := map[string]string{}
	var gather func(string, map[string]bool)
	gather = func(text string, seen map[string]bool) {
		for _, m := range includeLine.FindAllStringSubmatch(text, -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			raw, err := os.ReadFile("include/" + m[1] + ".lua")
			if err != nil {
				t.Fatal(err)
			}
			for name, body := range functions(string(raw)) {
				library[name] += body
			}
			gather(string(raw), seen)
		}
	}
	gather(text, map[string]bool{})
	found, done := map[string]bool{}, map[string]bool{}
	var follow func(string)
	follow = func(body string) {
		for _, m := range keyLiteral.FindAllStringSubmatch(body, -1) {
			if m[1] == "wake" || strings.HasPrefix(m[1], "test:") {
				continue // a channel; a test's clock
			}
			at := slices.IndexFunc(families, func(f struct{ literal, name string }) bool {
				return m[1] == f.literal || strings.HasSuffix(f.literal, ":") && strings.HasPrefix(m[1], f.literal)
			})
			if at < 0 {
				t.Errorf("the key family %q is unknown to this test and to the heads", m[1])
				continue
			}
			found[families[at].name] = true
		}
		for name, part := range library {
			if name != "" && !done[name] && regexp.MustCompile(`\b`+name+`\(`).MatchString(body) {
				done[name] = true
				follow(part)
			}
		}
	}
	var body strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			body.WriteString(line)
		}
	}
	follow(library[""])
	follow(body.String())
	return found
}

// TestHeadsNameEveryKeyTheBodyTouches: both ways, for every script.
func TestHeadsNameEveryKeyTheBodyTouches(t *testing.T) {
	t.Parallel()
	for name, text := range scripts(t) {
		h := readHead(t, name, text)
		named := map[string]bool{}
		for _, item := range regexp.MustCompile(`[\s,-]+`).Split(strings.NewReplacer("\n--", " ").Replace(h.touches), -1) {
			if item == "stream:<key>:<slot>" || item == "stream:<key>:<instance>" {
				item = "stream:<key>"
			}
			if item != "" {
				named[item] = true
			}
		}
		found := touched(t, text)
		for family := range found {
			if !named[family] {
				t.Errorf("%s.lua touches %s and its head does not say so", name, family)
			}
		}
		for family := range named {
			if !found[family] {
				t.Errorf("%s.lua says that it touches %s and does not", name, family)
			}
		}
	}
}

var returned = regexp.MustCompile(`return \{ '([a-z]+)'`)

// TestHeadsNameEveryStatusTheBodyReturns: both ways, for every script.
func TestHeadsNameEveryStatusTheBodyReturns(t *testing.T) {
	t.Parallel()
	for name, text := range scripts(t) {
		h := readHead(t, name, text)
		promised := map[string]bool{}
		for _, m := range regexp.MustCompile(`\{'([a-z]+)'((?: \| '[a-z]+')*)`).FindAllStringSubmatch(h.returns, -1) {
			promised[m[1]] = true
			for _, other := range regexp.MustCompile(`'([a-z]+)'`).FindAllStringSubmatch(m[2], -1) {
				promised[other[1]] = true
			}
		}
		given := map[string]bool{}
		for _, m := range returned.FindAllStringSubmatch(text, -1) {
			given[m[1]] = true
		}
		for status := range given {
			if !promised[status] {
				t.Errorf("%s.lua returns %q and its head does not say so", name, status)
			}
		}
		for status := range promised {
			if !given[status] {
				t.Errorf("%s.lua promises %q and never returns it", name, status)
			}
		}
	}
}

// TestArgumentsAreNamedOnce: after the locals no script speaks of ARGV by a
// number, and the numbers have no gap.
func TestArgumentsAreNamedOnce(t *testing.T) {
	t.Parallel()
	for name, text := range scripts(t) {
		h := readHead(t, name, text)
		var used []string
		for _, m := range regexp.MustCompile(`ARGV\[(\d+)\]`).FindAllStringSubmatch(text, -1) {
			used = append(used, m[1])
		}
		for i, n := range used {
			if want := itoa(i + 1); n != want {
				t.Errorf("%s.lua reads ARGV[%s] where ARGV[%s] is next: each is named once, in order", name, n, want)
				break
			}
		}
		first := regexp.MustCompile(`local FIRST\b.*= (\d+)`).FindStringSubmatch(text)
		if first != nil && first[1] != itoa(len(used)+1) {
			t.Errorf("%s.lua: FIRST is %s after %d named arguments", name, first[1], len(used))
		}
		// The head names those arguments in the same number: what is in
		// brackets explains, and what repeats comes after its count.
		plain := regexp.MustCompile(`(?s)\([^()]*\)`).ReplaceAllString(h.args, "")
		plain, _, _ = strings.Cut(plain, ".")
		fixed := strings.Split(strings.Join(strings.Fields(strings.ReplaceAll(plain, "\n--", " ")), " "), ", ")
		n := 2
		for _, item := range fixed[1:] {
			if strings.HasPrefix(item, "then n ") || regexp.MustCompile(`^[nmk] [a-z]`).MatchString(item) {
				break
			}
			n++
		}
		if n != len(used) {
			t.Errorf("%s.lua names %d arguments and its head %d: %q", name, len(used), n, fixed)
		}
	}
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

// TestClockHasOneHome: time and the run id come from the two includes that a
// test replaces, and no random call makes replies differ; JSON has one home, include/jobs.lua.
func TestClockHasOneHome(t *testing.T) {
	t.Parallel()
	for name, text := range scripts(t) {
		for _, word := range []string{"'TIME'", "'INFO'", "cjson", "math.random", "os.time", "KEYS["} {
			if strings.Contains(text, word) {
				t.Errorf("%s.lua uses %s", name, word)
			}
		}
	}
}

// TestEveryScriptLoads: each expands under both clocks, and differs by it only
// where time is read.
func TestEveryScriptLoads(t *testing.T) {
	t.Parallel()
	server, err := Load(Server)
	if err != nil {
		t.Fatal(err)
	}
	test, err := Load(Test)
	if err != nil {
		t.Fatal(err)
	}
	if len(server) != len(scripts(t)) || len(test) != len(server) {
		t.Fatalf("%d scripts, %d with the test's clock; %d files", len(server), len(test), len(scripts(t)))
	}
	for name, s := range server {
		if strings.Contains(s.Text, includeMark) {
			t.Errorf("%s holds an include that was not expanded", name)
		}
		if strings.Contains(test[name].Text, "'TIME'") {
			t.Errorf("%s reads the server's clock in a test", name)
		}
		if strings.Contains(s.Text, "test:clock") {
			t.Errorf("%s reads a test's clock in production", name)
		}
	}
}
