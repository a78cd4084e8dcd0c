package plan

import (
	"errors"
	"slices"
	"testing"

	"stream-api/stream"
)

func TestAnInstanceKnowsItsNameItsCopyAndWhetherItLeads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    Values
		want string
	}{{Values{}, "no 1 7-a"}, {Values{Lead: true, Copy: 2}, "yes 2 7-a"}} {
		text, err := stream.ParseTemplate("${slot:lead} ${slot:copy} ${slot:token}")
		if err != nil {
			t.Fatal(err)
		}
		at := Subject{Key: "s1", Instance: "work.3", Host: "h", Token: "7-a"}
		e := Exec{Env: map[string]stream.Template{"X": text}}
		p, err := e.Resolve(at, tt.v, func(stream.Ref) (string, bool, error) { return "", false, nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"X=" + tt.want, "STREAM_API_SLOT=work", "STREAM_API_INSTANCE=work.3"} {
			if !slices.Contains(p.Env, line) {
				t.Errorf("environment %v lacks %s", p.Env, line)
			}
		}
	}
}

func TestASlotHasTheVariablesOfItsItem(t *testing.T) {
	t.Parallel()
	at := Subject{Key: "s1", Instance: "high.2", Host: "h", Token: "7-a"}
	v := Values{
		Vars: map[string]string{"lang": "de"}, Origin: map[string]string{"url": "rtmp://in"}, Slots: map[string]map[string]string{"dist": {"url": "http://d"}},
		Own: map[string]string{"vb": "2M", "in": "${dist:url}/${stream:lang}", "from": "${source:url}", "late": "${other:url}", "odd": "${slot:odd}", "dash": "${stream:lang}"},
	}
	none := func(stream.Ref) (string, bool, error) { return "", false, nil }
	for text, want := range map[string]string{
		"${slot:vb}": "2M", "${slot:in}": "http://d/de", "${slot:from}": "rtmp://in", "${slot:name}": "high", "${slot:instance}": "high.2",
		"${slot:late:-later}": "later", "${slot:none:-x}": "x", "${slot:odd:-no circle}": "no circle",
	} {
		template, err := stream.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Resolve(at.Lookup(v, none)); got != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", text, got, err, want)
		}
	}
	late, err := stream.ParseTemplate("${slot:late}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Resolve(at.Lookup(v, none)); !errors.Is(err, stream.ErrMissing) {
		t.Errorf("what waits for another slot: %v", err)
	}
	// It may be made of what a publisher says, so it may not become an option.
	v.Own["dash"], v.Vars["lang"] = "${stream:lang}", "-y"
	arg, err := stream.ParseTemplate("${slot:dash}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Command{arg}).Resolve(at.Lookup(v, none)); err == nil {
		t.Error("a publisher's option was taken")
	}
}
