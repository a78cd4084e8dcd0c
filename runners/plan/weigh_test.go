package plan

import (
	"maps"
	"testing"

	"stream-api/internal/confine"
	"stream-api/stream"
)

func TestWeighTellsAChangeOfTheStreamFromOneOfTheFile(t *testing.T) {
	t.Parallel()
	parse := func(text string) stream.Template {
		p, err := stream.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	here := func(stream.Ref) (string, bool, error) { return "", false, nil }
	service := func(env string, changes ...func(*Service)) *Service {
		s := &Service{Exec: &Exec{Path: "/x", Env: map[string]stream.Template{"E": parse(env)}}, OnSourceChange: Restart, OnNewSession: Ignore}
		for _, change := range changes {
			change(s)
		}
		return s
	}
	before := Values{Vars: map[string]string{"v": "1"}, Origin: map[string]string{"url": "a"}, Source: "a", Session: "1", Slots: map[string]map[string]string{"dist": {"url": "d"}}}
	changed := func(change func(*Values)) Values {
		v := before
		v.Vars, v.Origin, v.Slots = maps.Clone(v.Vars), maps.Clone(v.Origin), maps.Clone(v.Slots)
		change(&v)
		return v
	}
	ran, err := service("${stream:v} ${source:url} ${dist:url}").Exec.Resolve(Subject{}, before, here)
	if err != nil {
		t.Fatal(err)
	}
	same := "${stream:v} ${source:url} ${dist:url}"
	other := func(v *Values) { v.Vars["v"] = "2" }
	moved := func(v *Values) { v.Origin["url"], v.Source = "b", "b" }
	again := func(v *Values) { v.Session = "2" }
	gone := func(v *Values) { delete(v.Slots, "dist") }
	ignore := func(s *Service) { s.OnSourceChange = Ignore }
	confined := func(s *Service) { s.Exec.Confine = confine.Policy{Level: confine.Hide} }
	renew := func(s *Service) { s.OnNewSession = Restart }
	// What is said of any change, and nothing of the source.
	calm := func(s *Service) { s.OnChange, s.OnSourceChange = OnChange{Do: Ignore}, "" }
	told := func(s *Service) { s.OnChange, s.OnSourceChange = OnChange{Do: Signal, Signal: "HUP"}, "" }
	strict := func(s *Service) { s.OnSourceChange = Restart }
	lead := func(v *Values) { v.Lead = true }
	for name, c := range map[string]struct {
		service *Service
		now     Values
		want    Effect
		why     stream.Code
	}{
		"nothing changed":                     {service(same), before, Stays, ""},
		"a value it uses":                     {service(same), changed(other), Restarts, stream.CodeVarsChanged},
		"a value it does not use":             {service(same), changed(func(v *Values) { v.Vars["w"] = "9" }), Stays, ""},
		"the file":                            {service(same + " x"), before, Stale, ""},
		"the file and a value it uses":        {service(same + " x"), changed(other), Restarts, stream.CodeVarsChanged},
		"what it is kept from":                {service(same, confined), before, Stale, ""},
		"another source":                      {service(same), changed(moved), Restarts, stream.CodeVarsChanged},
		"another source, passed over":         {service(same, ignore), changed(moved), Stale, ""},
		"a value beside a source passed over": {service(same, ignore), changed(func(v *Values) { moved(v); other(v) }), Restarts, stream.CodeVarsChanged},
		"a new session":                       {service(same), changed(again), Stays, ""},
		"a new session that counts":           {service(same, renew), changed(again), Restarts, stream.CodeNewSession},
		"an upstream that is gone":            {service(same), changed(gone), Unknown, ""},

		"a value, which it is told":                {service(same, told), changed(other), Tells, stream.CodeVarsChanged},
		"a value, which it reads by itself":        {service(same, calm), changed(other), Tells, stream.CodeVarsChanged},
		"the file, of which nothing is told":       {service(same+" x", told), before, Stale, ""},
		"another source, as any change":            {service(same, calm), changed(moved), Tells, stream.CodeVarsChanged},
		"another source, said narrower":            {service(same, calm, strict), changed(moved), Restarts, stream.CodeVarsChanged},
		"a value beside a source said narrower":    {service(same, told, strict), changed(other), Tells, stream.CodeVarsChanged},
		"another source passed over, and a value":  {service(same, told, ignore), changed(func(v *Values) { moved(v); other(v) }), Tells, stream.CodeVarsChanged},
		"a new session that counts, said narrower": {service(same, calm, renew), changed(func(v *Values) { again(v); other(v) }), Restarts, stream.CodeNewSession},
		"who leads, which it does not use":         {service(same), changed(lead), Stays, ""},
	} {
		got := c.service.Weigh(Subject{}, ran, before, c.now, here)
		if got.Do != c.want || got.Why.Code != c.why {
			t.Errorf("%s: %d, %q; want %d, %q", name, got.Do, got.Why, c.want, c.why)
		}
		if got.Do == Tells && got.Signal != c.service.OnChange.Signal {
			t.Errorf("%s: signal %q", name, got.Signal)
		}
	}
}
