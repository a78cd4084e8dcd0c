package plan

import (
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
