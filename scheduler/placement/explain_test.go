package placement

import (
	"fmt"
	"testing"

	"stream-api/stream"
)

func classOf(t *testing.T, c stream.Class) Class {
	t.Helper()
	rule, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return Class{ID: c.ID(), Rule: rule}
}

func service(host string, c stream.Class, used, limit int, state stream.HostState) Service {
	return Service{HostState: state, Host: host, Limit: limit, Used: used, Class: c.ID(), State: state}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	plain, filtered, needy := stream.Class{}, stream.Class{Filter: "^x"}, stream.Class{Needs: "dist:url"}
	up := func(host string, used, limit int) Service { return service(host, plain, used, limit, stream.Up) }
	pooled := func(host string, taken stream.Amount, more ...Pool) Service {
		v := up(host, 1, -1)
		v.Pools = append(more, Pool{"nvenc", 4000, taken, 4000})
		return v
	}
	alb := stream.Class{Labels: stream.Labels{"site": "alb"}.Encode()}
	sited := func(host string) Service { return service(host, alb, 0, 1, stream.Up) }
	paused := service("p", plain, 0, 2, stream.Cordoned)
	paused.Paused, paused.HostState = true, stream.Up
	broken := up("n", 0, 0)
	broken.Reason = stream.Because(stream.CodeBadCapacity, "capacity", `"many"`)
	failed := stream.Because(stream.CodeFailed, "exit", "exit 3", "times", "5")
	notMoved := func(why stream.Reason) stream.Reason { return stream.Because(stream.CodeNotMoved).After(why) }
	cools := func(pin string, why stream.Reason, on ...string) Instance {
		c := Instance{Pin: pin, Reason: why, Avoid: map[string]int64{}}
		for _, host := range on {
			c.Avoid[host] = 9
		}
		return c
	}
	var crowd []Service
	for i := range 9 {
		crowd = append(crowd, up(fmt.Sprintf("h%d", i), 2, 2))
	}
	tests := []struct {
		name     string
		instance Instance
		services []Service
		want     string
	}{
		{"nobody", Instance{}, nil, "nobody offers transcode"},
		{"room", Instance{}, []Service{up("a", 1, 2)}, ""},
		{"full", Instance{}, []Service{up("a", 10, 10), up("b", 10, 10), up("c", 4, 4)},
			"all 3 transcode services that match are full: 10/10, 10/10, 4/4"},
		{"full, capped", Instance{}, crowd,
			"all 9 transcode services that match are full: 2/2, 2/2, 2/2, 2/2, 2/2, 2/2, … and 3 more"},
		{"full and down", Instance{}, []Service{up("a", 1, 1), service("b", plain, 0, 1, stream.Down)},
			"all that match and are up are full: 1/1; not up: b down"},
		{"pool", Instance{}, []Service{pooled("a", 2500), pooled("ham", 1000), pooled("c", 4000), service("d", plain, 0, 1, stream.Down)},
			"needs 4 of nvenc; the emptiest, ham, has 3 of 4; not up: d down"},
		{"the only pool", Instance{}, []Service{pooled("ham", 5000)}, "needs 4 of nvenc; ham has 0 of 4"},
		{"pool, and one full", Instance{}, []Service{up("a", 2, 2), pooled("ham", 1000)},
			"all 2 transcode services that match are full: 2/2, needs 4 of nvenc and ham has 3 of 4"},
		{"room in the pool", Instance{}, []Service{pooled("a", 1), pooled("b", 0)}, ""},
		{"two pools", Instance{}, []Service{pooled("a", 0, Pool{"cpu", 8000, 7000, 1500}), pooled("b", 0, Pool{"cpu", 8000, 6501, 1500}), pooled("c", 3000)},
			"needs 1.5 of cpu; the emptiest, b, has 1.499 of 8"},
		{"filter", Instance{}, []Service{service("a", filtered, 0, 1, stream.Up), service("b", filtered, 0, 1, stream.Up)},
			"no filter of the 2 transcode services matches this stream"},
		{"the only filter", Instance{}, []Service{service("a", filtered, 0, 1, stream.Up)},
			"the filter of the only transcode service does not match this stream"},
		{"none up", Instance{}, []Service{service("a", plain, 0, 1, stream.Cordoned), service("b", plain, 0, 1, stream.Down), paused},
			"no transcode service that matches is up: a cordoned, b down, p paused"},
		{"cooling down", cools("", failed, "a"), []Service{up("a", 0, 1)}, "cooling down on a: exit 3; failed 5 times here"},
		{"still cooling down", cools("", stream.Because(stream.CodeCooldown, "cooling", "a", "away", "b down").After(failed), "a"), []Service{up("a", 0, 1)}, "cooling down on a: exit 3; failed 5 times here"},
		{"cooling down, full before", cools("", stream.Because(stream.CodeFull, "cooling", "a", "full", "1/1", "type", "transcode").After(failed), "a"), []Service{up("a", 0, 1)}, "cooling down on a: exit 3; failed 5 times here"},
		{"cooling down, not moved", cools("", notMoved(stream.Because(stream.CodeCooldown, "cooling", "a")), "a"), []Service{up("a", 0, 1)}, "cooling down on a"},
		{"cooling down after a failure, not moved", cools("", notMoved(stream.Because(stream.CodeCooldown, "cooling", "a").After(failed)), "a"), []Service{up("a", 0, 1)}, "cooling down on a: exit 3; failed 5 times here"},
		{"cooling down, no room before", cools("", notMoved(stream.Because(stream.CodeNoRoom, "host", "b")), "a"), []Service{up("a", 0, 1)}, "cooling down on a"},
		{"cooling down, a drain called off before", cools("", notMoved(stream.Because(stream.CodeDrainOff)), "a"), []Service{up("a", 0, 1)}, "cooling down on a"},
		{"cooling down, on hold before", cools("", stream.Because(stream.CodeOnHold).After(stream.Because(stream.CodeRestarted)), "a"), []Service{up("a", 0, 1)}, "cooling down on a"},
		{"cooling down, unclaimed", cools("", stream.Because(stream.CodeUnclaimed, "host", "a", "limit", "20s"), "a"), []Service{up("a", 0, 1)}, "cooling down on a: host a did not take it up within 20s"},
		{"cooling down on its pin", cools("a", failed, "a"), []Service{up("a", 0, 1)}, "pinned to a: cooling down on a: exit 3; failed 5 times here"},
		{"still cooling down on its pin", cools("a", stream.Because(stream.CodePinned, "host", "a").After(stream.Because(stream.CodeCooldown, "cooling", "a").After(failed)), "a"),
			[]Service{up("a", 0, 1)}, "pinned to a: cooling down on a: exit 3; failed 5 times here"},
		{"cooling down on two", cools("", stream.Because(stream.CodeCooldown, "cooling", "a").After(failed), "a", "b"), []Service{up("a", 0, 1), up("b", 0, 1)}, "cooling down on a, b: exit 3; failed 5 times here"},
		{"cooling down, a hand's word before", cools("", stream.ParseReason("I looked at it"), "a"), []Service{up("a", 0, 1)}, "cooling down on a: I looked at it"},
		{"cooling down, the rest full", Instance{Avoid: map[string]int64{"a": 9}, Exit: "exit 1"},
			[]Service{up("a", 0, 1), up("b", 1, 1)}, "cooling down on a: exit 1; all that match and are up are full: 1/1"},
		{"nonsense", Instance{}, []Service{broken}, `service:transcode:n takes nothing: capacity "many" is no whole number from 0 to 1000000`},
		{"pinned elsewhere", Instance{Pin: "z"}, []Service{up("a", 0, 1)}, "pinned to z: it offers no transcode that matches this stream"},
		{"pinned and full", Instance{Pin: "a"}, []Service{up("a", 1, 1), up("b", 0, 1)}, "pinned to a: the only transcode service that matches is full: 1/1"},
		{"apart", Instance{Apart: "host", Beside: map[string]string{"a": "transcode.1"}}, []Service{up("a", 0, 1)},
			"apart: a holds transcode.1, and no other host offers a transcode that matches"},
		{"apart by a label that none has", Instance{Apart: "site", Beside: map[string]string{"a": "transcode.1"}}, []Service{up("a", 0, 1)},
			"apart: a holds transcode.1, and no other host offers a transcode that matches"},
		{"apart by a label", Instance{Apart: "site", Beside: map[string]string{"a": "transcode.1", "c": "transcode.2"}}, []Service{sited("a"), sited("b"), sited("d"), up("c", 0, 1)},
			"apart: site alb holds transcode.1, c holds transcode.2, and no other host offers a transcode that matches"},
		{"room where the label is another", Instance{Apart: "site", Beside: map[string]string{"a": "transcode.1"}}, []Service{sited("a"), up("c", 0, 1)}, ""},
		{"apart of all but what it follows", Instance{Apart: "site", Follows: "transcode.1", Avoid: map[string]int64{"a": 9}, Beside: map[string]string{"a": "transcode.1"}}, []Service{sited("a"), sited("b")}, ""},
		{"waits", Instance{}, []Service{service("a", needy, 0, 1, stream.Up)}, "waits for dist:url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.instance.Key, tt.instance.Type, tt.instance.Instance = "s1", "transcode", "transcode"
			rules := []Class{classOf(t, plain), classOf(t, filtered), classOf(t, needy), classOf(t, alb)}
			got := NewView("transcode", rules, tt.services).Explain(tt.instance, Chain{Slots: []string{"dist", "transcode"}}).String()
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNeedsThatWaitInVainAreNamed(t *testing.T) {
	t.Parallel()
	rules := func(needs ...string) []Class {
		var out []Class
		for _, n := range needs {
			out = append(out, classOf(t, stream.Class{Needs: n}))
		}
		return out
	}
	tests := []struct {
		name  string
		chain Chain
		want  string
	}{
		{"not in the chain", Chain{Slots: []string{"b"}, Classes: map[string][]Class{"b": rules("a:url")}},
			"needs a:url, but a is not in the chain of this stream"},
		{"itself", Chain{Slots: []string{"b"}, Classes: map[string][]Class{"b": rules("b:url")}}, "cycle of needs: b → b"},
		{"a cycle of three", Chain{Slots: []string{"a", "b", "c"},
			Classes: map[string][]Class{"a": rules("c:url"), "b": rules("a:url"), "c": rules("b:url")}}, "cycle of needs: b → a → c → b"},
		{"waits for a cycle it is not in", Chain{Slots: []string{"a", "b", "c"},
			Classes: map[string][]Class{"a": rules("c:url"), "b": rules("a:url"), "c": rules("a:url")}}, "waits for a:url"},
		{"another class gets it out of the cycle", Chain{Slots: []string{"a", "b"},
			Classes: map[string][]Class{"a": rules("b:url", ""), "b": rules("a:url")}}, "waits for a:url"},
		{"an old value breaks the cycle", Chain{Slots: []string{"a", "b"}, Published: map[stream.Need]bool{{Slot: "b", Var: "url"}: true},
			Classes: map[string][]Class{"a": rules("b:url"), "b": rules("a:url")}}, "waits for a:url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			needs := tt.chain.Classes["b"][0].Rule.Needs()
			if got := tt.chain.explain("b", needs).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestEachReasonHasItsClass: by what is so, not by the words: a failure that says
// "disk full" is no want of room, and a type may be called household.
func TestEachReasonHasItsClass(t *testing.T) {
	t.Parallel()
	class := stream.Class{}
	at := func(host string, used, limit int, state stream.HostState) Service {
		return service(host, class, used, limit, state)
	}
	cooling := Instance{Avoid: map[string]int64{"a": 9}, Reason: stream.Because(stream.CodeExited, "exit", "exit 1: disk full")}
	for name, tt := range map[string]struct {
		instance Instance
		services []Service
		want     string
	}{
		"nobody":         {Instance{}, nil, stream.WhyNoService},
		"none is up":     {Instance{}, []Service{at("a", 0, 1, stream.Down)}, stream.WhyNoService},
		"full":           {Instance{}, []Service{at("a", 1, 1, stream.Up)}, stream.WhyFull},
		"cooling":        {cooling, []Service{at("a", 0, 1, stream.Up)}, stream.WhyCooldown},
		"cooling, full":  {cooling, []Service{at("a", 0, 1, stream.Up), at("b", 1, 1, stream.Up)}, stream.WhyFull},
		"pinned":         {Instance{Pin: "a"}, []Service{at("a", 1, 1, stream.Up)}, stream.WhyPinned},
		"pinned to none": {Instance{Pin: "z"}, []Service{at("a", 0, 1, stream.Up)}, stream.WhyPinned},
	} {
		tt.instance.Key, tt.instance.Type, tt.instance.Instance = "s1", "household", "household"
		reason := NewView("household", []Class{classOf(t, class)}, tt.services).Explain(tt.instance, Chain{})
		if why := reason.Code.Waits(); why != tt.want || reason.String() == "" {
			t.Errorf("%s: %q is of the class %q; want %q", name, reason, why, tt.want)
		}
	}
	needy := stream.Class{Needs: "dist:url"}
	if reason := NewView("x", []Class{classOf(t, needy)}, []Service{service("a", needy, 0, 1, stream.Up)}).Explain(Instance{}, Chain{}); reason.Code.Waits() != stream.WhyNeeds {
		t.Errorf("what waits for a variable is of the class %q", reason.Code.Waits())
	}
}
