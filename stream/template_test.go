package stream

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func lookup(values map[string]string) Lookup {
	return func(r Ref) (string, bool, error) {
		v, ok := values[r.Scope+":"+r.Name]
		return v, ok, nil
	}
}

func TestTemplateResolves(t *testing.T) {
	t.Parallel()
	values := lookup(map[string]string{
		"source:url": "http://ingest:8000", "stream:key": "a/s1", "dist:url": "http://live", "stream:empty": "",
		"file:/run/secrets/x": "pw", "env:HOME": "/root", "slot:token": "7-a", "place:device": "/dev/dri/renderD128",
	})
	for in, want := range map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"${source:url}/${stream:key}":        "http://ingest:8000/a/s1",
		"${dist_url}":                        "http://live", // the old spelling
		"${stream:fps:-25}":                  "25",
		"${stream:fps:-}":                    "",
		"${stream:empty:-25}":                "", // empty is a value
		"${stream:key:-x}":                   "a/s1",
		"$$${stream:key}$$":                  "$a/s1$",
		"$${stream:key}":                     "${stream:key}",
		"${file:/run/secrets/x} ${env:HOME}": "pw /root",
		"${slot:token} ${place:device}":      "7-a /dev/dri/renderD128",
		"a:-b":                               "a:-b",
		"${nobody:url:-http://a:1/b:-c}":     "http://a:1/b:-c",
	} {
		tpl, err := ParseTemplate(in)
		if err != nil {
			t.Errorf("ParseTemplate(%q): %v", in, err)
			continue
		}
		got, err := tpl.Resolve(values)
		if err != nil || got != want {
			t.Errorf("%q resolves to %q, %v; want %q", in, got, err, want)
		}
		if tpl.String() != in {
			t.Errorf("String() = %q; want it as written, %q", tpl.String(), in)
		}
	}
}

func TestMissingValueIsNamed(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("x ${stream:lang} y")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpl.Resolve(lookup(nil))
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "${stream:lang}") {
		t.Fatalf("got %v; want ErrMissing naming ${stream:lang}", err)
	}
}

func TestUnreadableValueEndsResolution(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("${file:/x:-default}")
	if err != nil {
		t.Fatal(err)
	}
	unreadable := errors.New("permission denied")
	_, err = tpl.Resolve(func(Ref) (string, bool, error) { return "", false, unreadable })
	if !errors.Is(err, unreadable) {
		t.Fatalf("got %v; want the reader's error, not the default", err)
	}
}

func TestBadTemplatesSayWhere(t *testing.T) {
	t.Parallel()
	for in, part := range map[string]string{
		"a$b":            "at byte 2: a single $",
		"$":              "at byte 1: a single $",
		"x${stream:key":  "at byte 2: ${ without its }",
		"${key}":         "${key}: write ${scope:name}",
		"${}":            "write ${scope:name}",
		"${Stream:key}":  "no service type",
		"${stream:a-b}":  "no variable name",
		"${stream:}":     "no variable name",
		"${file:x}":      "must be absolute",
		"${slot:a-b}":    "is no variable name",
		"${_url}":        "write ${scope:name}",
		"${source_name}": "write ${scope:name}",
	} {
		_, err := ParseTemplate(in)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("ParseTemplate(%q): %v; want %q in it", in, err, part)
		}
	}
}

func TestOnlySlotVariablesWithoutDefaultAreNeeded(t *testing.T) {
	t.Parallel()
	tpl, err := ParseTemplate("${transcode:h264_url} ${dist_url} ${dist:url} ${record:path:-none} ${source:url} ${env:HOME}")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := FormatNeeds(Needs(tpl)), "dist:url transcode:h264_url"; got != want {
		t.Errorf("needs %q; want %q", got, want)
	}
}

func TestNeedsSurviveTheirTextForm(t *testing.T) {
	t.Parallel()
	needs := []Need{{"a", "x", true}, {"a", "x", false}, {"a", "y", false}, {"b", "x", false}}
	got, err := ParseNeeds(FormatNeeds(needs))
	if err != nil || !slices.Equal(got, needs) {
		t.Errorf("got %v, %v; want %v", got, err, needs)
	}
	for _, bad := range []string{"a", "a:", ":x", "A:x", "a:x:y"} {
		if _, err := ParseNeeds(bad); err == nil {
			t.Errorf("ParseNeeds(%q) is no error", bad)
		}
	}
}

// What parses resolves without panic, and its text without references comes
// back as it was.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{"", "$$", "${a:b}", "${a:b:-c}", "${a*:b}", "${dist_url}", "${file:/x}", "${", "}${stream:key}$$", "${a:-b}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		tpl, err := ParseTemplate(in)
		if err != nil {
			return
		}
		out, err := tpl.Resolve(func(Ref) (string, bool, error) { return "", true, nil })
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if len(tpl.Refs()) == 0 && strings.ReplaceAll(out, "$", "$$") != in {
			t.Fatalf("%q without references resolves to %q", in, out)
		}
	})
}

func TestANULInAValueIsRefused(t *testing.T) {
	t.Parallel()
	v, err := ParseTemplate("x${stream:title}")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := v.Resolve(lookup(map[string]string{"stream:title": "a\x00b"})); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("%q, %v; want an error that names the NUL", out, err)
	}
}
