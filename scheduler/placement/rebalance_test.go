package placement

import (
	"slices"
	"testing"

	"stream-api/stream"
)

// moves are "key from>to code" of each.
func moves(list []Improvement) (out []string) {
	for _, i := range list {
		out = append(out, i.Key+" "+i.From+">"+i.To+" "+string(i.Why.Code))
	}
	return out
}

// TestWhatWouldHelp: nearness, preference and spread before load, each reckoned with those before it done, where
// there is room; nothing where all is as it would be placed.
func TestWhatWouldHelp(t *testing.T) {
	t.Parallel()
	alb, ber := classOf(t, labelled(stream.Labels{"site": "alb"})), classOf(t, labelled(stream.Labels{"site": "ber"}))
	asks := classOf(t, stream.Class{Filter: "^vip"})
	prefers := classOf(t, stream.Class{Prefer: "^z"})
	service := func(host string, c Class, used, limit int) Service {
		return Service{Host: host, Class: c.ID, Used: used, Limit: limit, State: stream.Up, HostState: stream.Up}
	}
	here := func(key, on string) Standing { return Standing{Instance{Key: key, Instance: "enc.1", Type: "enc"}, on} }
	near := func(key, on string) Standing {
		s := here(key, on)
		s.Near = []Target{{Name: "source", Labels: stream.Labels{"site": "alb"}}}
		return s
	}
	apart := here("p", "a1")
	apart.Apart, apart.Beside = stream.ApartHost, map[string]string{"a2": "enc.2"}
	spread := here("p", "a1")
	spread.Spread, spread.Siblings = "site", map[string]int{"alb": 1}
	away := service("a2", alb, 0, 4)
	away.State = stream.Cordoned
	pooled := func(host string, taken stream.Amount) Service {
		s := service(host, alb, 1, -1)
		s.Pools = []Pool{{Name: "gpu", Size: 4000, Taken: taken, Needs: 1000}}
		return s
	}
	for _, tt := range []struct {
		name     string
		standing []Standing
		classes  []Class
		services []Service
		want     []string
	}{
		{"3 and 1 of 4", []Standing{here("s1", "a1"), here("s2", "a1"), here("s3", "a1")}, []Class{alb}, []Service{service("a1", alb, 3, 4), service("a2", alb, 1, 4)}, []string{"s1 a1>a2 emptier"}},
		{"2 and 1 of 4", []Standing{here("s1", "a1"), here("s2", "a1")}, []Class{alb}, []Service{service("a1", alb, 2, 4), service("a2", alb, 1, 4)}, nil},
		{"4 and 0 without a limit", []Standing{here("s1", "a1"), here("s2", "a1"), here("s3", "a1")}, []Class{alb}, []Service{service("a1", alb, 4, -1), service("a2", alb, 0, -1)}, []string{"s1 a1>a2 emptier", "s2 a1>a2 emptier"}},
		{"a pool", []Standing{here("s1", "a1")}, []Class{alb}, []Service{pooled("a1", 4000), pooled("a2", 1000)}, []string{"s1 a1>a2 emptier"}},
		{"near before load", []Standing{here("s1", "b1"), near("s2", "b1")}, []Class{alb, ber}, []Service{service("b1", ber, 2, 4), service("a1", alb, 0, 1)}, []string{"s2 b1>a1 nearer"}},
		{"far, and no room near", []Standing{near("s2", "b1")}, []Class{alb, ber}, []Service{service("b1", ber, 1, 4), service("a1", alb, 1, 1)}, nil},
		{"near stays, however full", []Standing{near("s2", "a1")}, []Class{alb, ber}, []Service{service("b1", ber, 0, 4), service("a1", alb, 1, 1)}, nil},
		{"asked for", []Standing{here("vip1", "p1")}, []Class{asks, prefers}, []Service{service("p1", prefers, 1, 4), service("v1", asks, 3, 4)}, []string{"vip1 p1>v1 preferred"}},
		{"not admitted", []Standing{here("s1", "p1")}, []Class{asks, prefers}, []Service{service("p1", prefers, 4, 4), service("v1", asks, 0, 4)}, nil},
		{"where its pair is", []Standing{apart}, []Class{alb}, []Service{service("a1", alb, 3, 4), service("a2", alb, 1, 4)}, nil},
		{"where fewer copies are", []Standing{spread}, []Class{alb, ber}, []Service{service("a1", alb, 1, 4), service("b1", ber, 2, 4)}, []string{"p a1>b1 spreads"}},
		{"to one that is cordoned", []Standing{here("s1", "a1")}, []Class{alb}, []Service{service("a1", alb, 4, 4), away}, nil},
		{"one of a stream", []Standing{here("s1", "a1"), {Instance{Key: "s1", Instance: "enc.2", Type: "enc"}, "a1"}}, []Class{alb}, []Service{service("a1", alb, 4, 4), service("a2", alb, 0, 4)}, []string{"s1 a1>a2 emptier"}},
	} {
		if got := moves(Improve(tt.standing, tt.classes, tt.services)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
