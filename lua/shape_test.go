package lua

import (
	"strings"
	"testing"
)

// linked are the chunks of some files, by their names.
func linked(t *testing.T, texts map[string]string) (map[string][]chunk, error) {
	t.Helper()
	all, known := map[string][]chunk{}, names{map[string]bool{}, map[string]string{}}
	for name, text := range texts {
		cut, err := chunks(name, text)
		if err != nil {
			return nil, err
		}
		all[name] = cut
		for _, c := range cut {
			known.functions[c.name] = true
			if c.lazy != "" && c.name != "" {
				known.lazy[c.name] = c.lazy
			}
		}
	}
	for _, cut := range all {
		for i := range cut {
			if err := cut[i].link(known); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func TestAScriptHasWhatItUses(t *testing.T) {
	t.Parallel()
	all, err := linked(t, map[string]string{
		"x":            "local a = ARGV[1]\n-- include: eager\n-- include: rare\nreturn twice(a, 'never()') -- never()\n",
		"include/rare": "-- lazy\nlocal function twice(n)\n  return once(n) .. once(n)\nend\n\nlocal function thrice(n) return n end\n",
		"include/eager": "local function once(n) return n end\nlocal function never(n)\n  return n\nend\n" +
			"local function alone(n) return n end -- a word after it\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := expand(nil, all, "x", map[string]bool{})
	if err != nil {
		t.Fatal(err)
	}
	got := shape(parts)
	const want = `local a = ARGV[1]
local function once(n) return n end
local made_rare
local function lazy_rare()
if made_rare then return made_rare end
local function twice(n)
  return once(n) .. once(n)
end
made_rare = { twice = twice }
return made_rare
end
return lazy_rare().twice(a, 'never()') 
`
	if got != want {
		t.Errorf("the script is\n%s\nwant\n%s", got, want)
	}
}

// The oldest functions stand on a level of their own.
func TestTheOldestStandOutside(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range outermost + 2 {
		text.WriteString("local function f" + strings.Repeat("x", i) + "() return 1 end\n")
	}
	text.WriteString("return f()")
	for i := 1; i < outermost+2; i++ {
		text.WriteString(" + f" + strings.Repeat("x", i) + "()")
	}
	text.WriteString("\n")
	all, err := linked(t, map[string]string{"x": text.String()})
	if err != nil {
		t.Fatal(err)
	}
	got := shape(all["x"])
	before, after, found := strings.Cut(got, "return (function()\n")
	if !found || strings.Count(before, "local function") != outermost || strings.Count(after, "local function") != 2 || !strings.HasSuffix(after, "end)()\n") {
		t.Errorf("the script is\n%s", got)
	}
}

func TestWhatCannotBeLazyIsSaid(t *testing.T) {
	t.Parallel()
	const rare = "-- lazy\nlocal function twice(n) return n end\n"
	for name, c := range map[string]struct {
		texts map[string]string
		want  string
	}{
		"a value":          {map[string]string{"include/rare": rare, "x": "return map(twice)\n"}, "can only be called"},
		"another of it":    {map[string]string{"include/rare": rare, "x": "local function twice(n) return n end\nreturn 1\n"}, "nothing else may have its name"},
		"a local":          {map[string]string{"include/rare": rare, "x": "local twice = 1\n"}, "can only be called"},
		"an iterator":      {map[string]string{"include/rare": rare, "x": "for n in twice(1) do end\n"}, "give a list"},
		"no end":           {map[string]string{"x": "local function f(n)\n  return n\n"}, "no end"},
		"more than is one": {map[string]string{"include/rare": rare + "local N = 5\n"}, "functions alone"},
	} {
		if _, err := linked(t, c.texts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if _, err := linked(t, map[string]string{"include/rare": rare, "x": "return a.twice, ' twice ' .. n, \"twice's\" -- twice\n"}); err != nil {
		t.Errorf("a field, texts and a comment of its name: %v", err)
	}
}

func TestAGuardIsTakenOutAsItIsWritten(t *testing.T) {
	t.Parallel()
	all, err := Load(Server)
	if err != nil {
		t.Fatal(err)
	}
	v, err := all["release"].Altered("  unheld_by(stype, key, instance)\n", "settle(key, slot, '')")
	if err != nil || v.SHA == all["release"].SHA || !strings.Contains(v.Text, "lazy_lead().settle(key, slot, '')") {
		t.Errorf("altered: %v\n%s", err, v.Text)
	}
	for _, text := range []string{"no such text", "redis.call("} {
		if _, err := all["release"].Altered(text, ""); err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
