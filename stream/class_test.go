package stream

import "testing"

func TestClassAdmitsInTiers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		class Class
		key   string
		tier  Tier
		ok    bool
	}{
		{Class{}, "s1", TierNeutral, true},
		{Class{Filter: "^s"}, "s1", TierWanted, true},
		{Class{Filter: "^s"}, "q1", 0, false},
		{Class{Prefer: "^s"}, "s1", TierWanted, true},
		{Class{Prefer: "^s"}, "q1", TierOther, true},
		{Class{Filter: "^[sq]", Prefer: "^s"}, "s1", TierWanted, true},
		{Class{Filter: "^[sq]", Prefer: "^s"}, "q1", TierOther, true},
		{Class{Filter: "^[sq]", Prefer: "^s"}, "x1", 0, false},
	} {
		rule, err := tc.class.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if tier, ok := rule.Admits(tc.key); tier != tc.tier || ok != tc.ok {
			t.Errorf("%+v admits %s: %v, %v; want %v, %v", tc.class, tc.key, tier, ok, tc.tier, tc.ok)
		}
	}
}

func TestClassIDTellsClassesApart(t *testing.T) {
	t.Parallel()
	seen := map[string]Class{}
	for _, c := range []Class{{}, {Filter: "a"}, {Prefer: "a"}, {Needs: "a:b"}, {Filter: "a", Prefer: "a"}} {
		if other, ok := seen[c.ID()]; ok {
			t.Errorf("%+v and %+v have one id", c, other)
		}
		seen[c.ID()] = c
	}
	one, same := Class{Filter: "a"}, Class{Filter: "a"}
	if one.ID() != same.ID() {
		t.Error("one class has two ids")
	}
}

func TestNonsenseClassesAreErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []Class{{Filter: "("}, {Prefer: "["}, {Needs: "x"}} {
		if _, err := c.Compile(); err == nil {
			t.Errorf("%+v compiles", c)
		}
	}
}

func TestAnnouncementsSurviveTheirStoredForm(t *testing.T) {
	t.Parallel()
	a := Announcement{Chain: []string{"dist"}, Priority: 5, Vars: map[string]string{"b": "1", "a": "2"}, Source: map[string]string{"url": "http://x"}}
	got, err := DecodeAnnouncement(a.Encode())
	if err != nil || got.Encode() != a.Encode() {
		t.Errorf("got %+v, %v; want %+v", got, err, a)
	}
	for _, bad := range []string{"", "{", `{"chain":["A"]}`, `{"chain":["a"],"priority":900}`, `{"chain":["a"],"vars":{"key":"x"}}`} {
		if _, err := DecodeAnnouncement(bad); err == nil {
			t.Errorf("%q decodes", bad)
		}
	}
}
