package render

import (
	"errors"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

// network has an origin on each of three hosts, of which one is well, and two streams.
func network() stream.Status {
	service := func(state stream.HostState, why stream.Reason, url string) []stream.ServiceStatus {
		return []stream.ServiceStatus{{Type: "origin", State: state, URL: url, Told: why.Told()}, {Type: "other", State: stream.Up, URL: "http://other"}}
	}
	slot := func(kind, host string, state stream.State, phase stream.Phase, url string) stream.InstanceStatus {
		return stream.InstanceStatus{Slot: kind, Instance: kind + ".1", Name: kind, Type: kind, Lead: true, State: state, Phase: phase, Host: host, Vars: map[string]string{"url": url}}
	}
	return stream.Status{
		At: 1_800_000_000_000,
		Hosts: []stream.HostStatus{
			{Host: "ham", State: stream.Up, Services: service(stream.Up, stream.Reason{}, "http://ham.example:8080/x")},
			{Host: "ber", State: stream.Up, Services: service(stream.Up, stream.Reason{}, "https://[2001:db8::1]")},
			{Host: "dus", State: stream.Cordoned, Services: service(stream.Cordoned, stream.Reason{}, "http://dus")},
			{Host: "fra", State: stream.Up, Services: service(stream.Up, stream.Because(stream.CodeNonsense, "broken", "x"), "http://fra")},
			{Host: "mun", State: stream.Down, Services: service(stream.Up, stream.Reason{}, "http://mun")},
		},
		Streams: []stream.StreamStatus{
			{Key: "s2", Vars: map[string]string{"lang": "de"}, Slots: []stream.InstanceStatus{slot("dist", "ham", stream.Running, "", "http://ham:7999"), slot("work", "ham", stream.Running, stream.Failing, "")}},
			{Key: "s1", Vars: map[string]string{"stream_key": stream.Masked}, Slots: []stream.InstanceStatus{slot("dist", "ber", stream.Running, "", "http://me:***@ber:7999"), slot("work", "ber", stream.Running, stream.Starting, ""), slot("work", "", stream.Pending, "", "")}},
		},
	}
}

func fill(t *testing.T, text string) (string, error) {
	t.Helper()
	p, err := Parse("x.tmpl", text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Fill(network(), time.Unix(1_700_000_000, 0), func(name string) string { return "env of " + name })
	return string(out.Text), err
}

func TestTemplateHasThePictureAndItsFunctions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{{range services "origin"}}{{.Host}} {{.URL}} {{.On.State}};{{end}}`:                                            "ber https://[2001:db8::1] up;ham http://ham.example:8080/x up;",
		`{{range services "nothing"}}x{{end}}`:                                                                           "",
		`{{range slots "dist"}}{{.Key}} {{.Host}} {{.Stream.Vars.lang}} {{.Vars.url}} {{.Vars.nothing}};{{end}}`:         "s1 ber  http://me:***@ber:7999 ;s2 ham de http://ham:7999 ;",
		`{{range slots "work"}}{{.Key}}{{end}}`:                                                                          "", // one fails, one starts, one waits
		`{{slots "dist" | vars "url" | hostports | join ", "}}`:                                                          "ham:7999, ber:7999",
		`{{urls (services "origin") | hostports | join " "}}`:                                                            "[2001:db8::1]:443 ham.example:8080",
		`{{host "http://a:1/x"}} {{port "rtmp://a/x"}} {{host "http://[::1]/"}} {{scheme "srt://a"}}`:                    "a 1935 ::1 srt",
		`{{hostport "no url"}}{{hostport "srt://a"}}{{hostport "http://a;b"}}{{host "http://a%20b"}}{{port "x"}}`:        "",
		`{{isip "10.0.0.1"}} {{isip "::1"}} {{isip "a.example"}}`:                                                        "true true false",
		`{{"" | default "x"}} {{"y" | default "x"}} {{0 | default 7}}`:                                                   "x y 7",
		`{{quote "a \"b\" <c>"}} {{json .Sources}} {{quote 7}}`:                                                          `"a \"b\" <c>" null "7"`,
		`{{split "," "b,a,b" | uniq | join "-"}} {{split "," "b,a,b" | sort | join "-"}}`:                                "a-b a-b-b",
		`{{lower "AB"}} {{contains "b" "abc"}} {{replace "a" "b" "aa"}} {{trimPrefix "s" "s1"}} {{trimSuffix "1" "s1"}}`: "ab true bb 1 s",
		`{{serial}} {{env "HOME"}} {{len .Streams}}`:                                                                     "1700000000 env of HOME 2",
	} {
		got, err := fill(t, text)
		if err != nil || got != want {
			t.Errorf("%s\ngives %q, %v\nwant  %q", text, got, err, want)
		}
	}
}

func TestTemplateThatFailsSaysWhereAndWhatToDo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\n{{range .Hosts}}{{.url}}{{end}}": `template x.tmpl:2:18: executing "x.tmpl" at <.url>: can't evaluate field url in type stream.HostStatus; did you mean .URL?`,
		`{{range .Hosts}}{{.lease_ms}}{{end}}`: `did you mean .LeaseMS?`,
		`{{.Nothing}}`:                         "the names are those of `status -o json`, in Go's spelling",
		"a\n\n{{fail \"no origin is up\"}}":    `template x.tmpl:3:2: executing "x.tmpl" at <fail "no origin is up">: error calling fail: no origin is up: the template says fail`,
		`{{index .Streams 9}}`:                 `x.tmpl:1:2:`,
	} {
		got, err := fill(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s\nsays %v\nwant %s", text, err, want)
		}
		if strings.Contains(text, "fail") != errors.Is(err, ErrFails) {
			t.Errorf("%s: %v is not told apart", text, err)
		}
	}
	if _, err := Parse("x.tmpl", "{{range .Hosts}}\n{{nothing}}"); err == nil || err.Error() != `template x.tmpl:2: function "nothing" not defined` {
		t.Errorf("a wrong function: %v", err)
	}
	endless, err := Parse("x.tmpl", `{{range .Hosts}}`+strings.Repeat("x", 17<<20)+`{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Fill(network(), time.Time{}, nil); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("it may write without end: %v", err)
	}
}

// Who wants a password gets no *** in its place without a word.
func TestTemplateThatShowsAMaskedSecretIsTold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{{range slots "dist"}}{{.Vars.url}}{{end}}`:          true,
		`{{range slots "dist"}}{{hostport .Vars.url}}{{end}}`: false,
		`# *** kept ***`: false,
		`{{range .Streams}}{{.Vars.stream_key}}{{end}}`: true,
	} {
		p, err := Parse("x.tmpl", text)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := p.Fill(network(), time.Time{}, nil); err != nil || out.Masked != want {
			t.Errorf("%s: masked %v, %v", text, out.Masked, err)
		}
	}
}
