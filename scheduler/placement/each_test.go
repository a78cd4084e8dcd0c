package placement

import (
	"strings"
	"testing"

	"stream-api/stream"
)

func TestEachHostThatOffersAndAdmitsHasOne(t *testing.T) {
	t.Parallel()
	class := func(id string, c stream.Class) Class {
		rule, err := c.Compile()
		if err != nil {
			t.Fatal(err)
		}
		return Class{id, rule}
	}
	classes := []Class{
		class("any", stream.Class{}), class("others", stream.Class{Filter: "^t"}), class("ham", stream.Class{Labels: stream.Labels{"site": "ham"}.Encode()}), {ID: "odd"},
	}
	services := []Service{
		{Host: "a", Class: "any", State: stream.Up, HostState: stream.Up},
		{Host: "b", Class: "any", State: stream.Down, HostState: stream.Down},
		{Host: "c", Class: "any", State: stream.Cordoned, HostState: stream.Cordoned},
		{Host: "d", Class: "any", State: stream.Draining, HostState: stream.Draining},
		{Host: "e", Class: "any", State: stream.Draining, HostState: stream.Draining},
		{Host: "f", Class: "others", State: stream.Up, HostState: stream.Up},
		{Host: "g", Class: "ham", State: stream.Up, HostState: stream.Up},
		{Host: "h", Class: "odd", State: stream.Up, HostState: stream.Up},
		{Host: "i", Class: "unknown", State: stream.Up, HostState: stream.Up},
		{Host: "j", Class: "any", State: stream.Cordoned, HostState: stream.Up, Unwell: true},
		{Host: "k", Class: "any", State: stream.Down, HostState: stream.Up, Withdrawn: true},
	}
	emptied := func(host string) bool { return host == "e" }
	for item, want := range map[string]string{
		"":             "a g | b c d h i j",
		"site=ham":     "g | h i",
		"a":            "a | h i",
		"${stream:at}": " | a b c d e f g h i j",
	} {
		var s stream.Selector
		switch name, value, labels := strings.Cut(item, "="); {
		case labels:
			s.Labels = map[string]stream.Values{name: {value}}
		default:
			s.Name = item
		}
		have, keep := Each(Instance{Key: "s1", Host: s}, classes, services, emptied)
		if got := strings.Join(have, " ") + " | " + strings.Join(keep, " "); got != want {
			t.Errorf("%q: %s; want %s", item, got, want)
		}
	}
}

func TestWhatIsOneHostsWaitsForThat(t *testing.T) {
	t.Parallel()
	rule, err := stream.Class{}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	up := Service{Host: "a", Class: "any", Limit: -1, State: stream.Up, HostState: stream.Up}
	view := func(b Service) View { return NewView("relay", []Class{{"any", rule}}, []Service{up, b}) }
	s := Instance{Key: "s1", Instance: "relay@b", Type: "relay", Only: "b"}
	b := Service{Host: "b", Class: "any", Limit: -1, State: stream.Down, HostState: stream.Down}
	if why := view(b).Explain(s, Chain{}).String(); why != "waits for its host: b is down" {
		t.Error(why)
	}
	b.State, b.HostState, b.Limit = stream.Up, stream.Up, 0
	if why := view(b).Explain(s, Chain{}).Code; why != stream.CodeFull {
		t.Error(why)
	}
	if why := NewView("relay", []Class{{"any", rule}}, []Service{up}).Explain(s, Chain{}).String(); why != "it is for b alone" {
		t.Error(why)
	}
	for _, r := range Plan(s, []Candidate{{Class: "any"}}, &Known{}, 8) {
		for _, c := range r {
			if c.Host != "b" {
				t.Errorf("it may go to %q", c.Host)
			}
		}
	}
}
