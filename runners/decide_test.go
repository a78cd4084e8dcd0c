package runners

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

func TestReconcileGivesEachTokenOneDeed(t *testing.T) {
	t.Parallel()
	record := func(token string, state stream.State, changes ...func(*store.InstanceRecord)) store.InstanceRecord {
		r := store.InstanceRecord{Reservation: store.Reservation{Key: "s1", Instance: "work", Type: "work", Host: "h", Token: token}, State: state}
		for _, change := range changes {
			change(&r)
		}
		return r
	}
	settled, coming, ending := held{Settled: true}, held{}, held{Settled: true, Ending: true}
	for name, c := range map[string]struct {
		records []store.InstanceRecord
		have    map[string]held
		buried  string
		leaving bool
		want    []action
	}{
		"placed here":                       {records: []store.InstanceRecord{record("1", stream.Assigned)}, want: []action{{Do: claim, Token: "1"}}},
		"placed here, but spent":            {records: []store.InstanceRecord{record("1", stream.Assigned)}, buried: "1", want: []action{{Do: release, Token: "1"}}},
		"placed here, but leaving":          {records: []store.InstanceRecord{record("1", stream.Assigned)}, leaving: true, want: []action{{Do: release, Token: "1"}}},
		"claimed and never started":         {records: []store.InstanceRecord{record("1", stream.Running)}, want: []action{{Do: release, Token: "1"}}},
		"ended, its release lost":           {records: []store.InstanceRecord{record("1", stream.Running)}, buried: "1", want: []action{{Do: release, Token: "1"}}},
		"stopping, and nothing of it lives": {records: []store.InstanceRecord{record("1", stream.Stopping)}, want: []action{{Do: release, Token: "1"}}},
		"runs":                              {records: []store.InstanceRecord{record("1", stream.Running)}, have: map[string]held{"1": settled}, want: []action{{Do: confirm, Token: "1"}}},
		"is being claimed":                  {records: []store.InstanceRecord{record("1", stream.Assigned)}, have: map[string]held{"1": coming}},
		"not wanted any more":               {records: []store.InstanceRecord{record("1", stream.Stopping)}, have: map[string]held{"1": settled}, want: []action{{Do: stop, Token: "1"}}},
		"wanted elsewhere": {records: []store.InstanceRecord{record("1", stream.Running, func(r *store.InstanceRecord) { r.Move = "*" })},
			have: map[string]held{"1": settled}, want: []action{{Do: move, Token: "1"}}},
		"a successor placed where it should": {records: []store.InstanceRecord{record("1", stream.Running, func(r *store.InstanceRecord) { r.Move, r.Follows = "h", "work.1" })},
			have: map[string]held{"1": settled}, want: []action{{Do: confirm, Token: "1"}}},
		"set back to before the claim":  {records: []store.InstanceRecord{record("1", stream.Assigned)}, have: map[string]held{"1": settled}, want: []action{{Do: assert, Token: "1"}}},
		"forgotten by the store":        {have: map[string]held{"1": settled}, want: []action{{Do: assert, Token: "1"}}},
		"not claimed when it was asked": {have: map[string]held{"1": coming}},
		"on its way to its release":     {records: []store.InstanceRecord{record("1", stream.Running)}, have: map[string]held{"1": ending}},
		"gone, and not released yet":    {have: map[string]held{"1": ending}},
		"under another token now": {records: []store.InstanceRecord{record("2", stream.Assigned)}, have: map[string]held{"1": settled},
			want: []action{{Do: claim, Token: "2"}, {Do: assert, Token: "1"}}},
		"pending by a hand's edit": {records: []store.InstanceRecord{record("1", stream.Pending)}},
		"without a token":          {records: []store.InstanceRecord{record("", stream.Running)}},
		"listed twice": {records: []store.InstanceRecord{record("1", stream.Running), record("1", stream.Running)}, have: map[string]held{"1": settled},
			want: []action{{Do: confirm, Token: "1"}}},
	} {
		got := reconcile(c.records, c.have, func(token string) bool { return token == c.buried }, c.leaving)
		same := slices.EqualFunc(got, c.want, func(a, b action) bool { return a.Do == b.Do && a.Token == b.Token })
		if !same {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

func TestTheLeaseIsTrustedNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	const s = int64(time.Second)
	l := newLease(10 * time.Second) // margin 2 s: a window of 8 s
	if d, _ := l.feed(plan.Keep, 0); d != 0 {
		t.Errorf("before anything was heard a child would live until %d", d)
	}
	l.missed(100 * s)
	if d, _ := l.feed(plan.Keep, 0); d != 108*s {
		t.Errorf("keep without the store: until %d s; want 108", d/s)
	}
	if d, _ := l.feed(plan.Stop, 1); d != 0 {
		t.Errorf("stop without the store: until %d s; want no word", d/s)
	}
	if term := l.renewed(101*s, 5000, true); term != 1 {
		t.Errorf("term %d; want 1", term)
	}
	if d, term := l.until(); d != 109*s || term != 1 {
		t.Errorf("trusted until %d s in term %d; want 109, 1", d/s, term)
	}
	if d, _ := l.feed(plan.Stop, 0); d != 0 {
		t.Errorf("stop, not confirmed: until %d s; want no word", d/s)
	}
	if d, _ := l.feed(plan.Stop, 1); d != 109*s {
		t.Errorf("stop, confirmed: until %d s; want 109", d/s)
	}
	l.missed(103 * s)
	if d, _ := l.feed(plan.Keep, 1); d != 109*s {
		t.Errorf("one lost beat promised more than the lease: until %d s", d/s)
	}
	l.missed(105*s + 1)
	if d, _ := l.feed(plan.Keep, 1); d != 113*s+1 {
		t.Errorf("keep in an outage: until %d; want 113 s", d)
	}
	if d, _ := l.until(); d != 109*s {
		t.Errorf("in an outage a first start is trusted until %d s; want 109", d/s)
	}
	if d, _ := l.feed(plan.Stop, 1); d != 109*s {
		t.Errorf("stop in an outage: until %d s; want 109", d/s)
	}
	_, changed := l.feed(plan.Keep, 1)
	l.renewed(120*s, 9000, true)
	select {
	case <-changed:
	default:
		t.Error("nobody is told of a new lease")
	}
	if d, _ := l.feed(plan.Stop, 1); d != 0 {
		t.Errorf("stop, confirmed in an older term: until %d s; want no word", d/s)
	}
	if now := l.serverTime(121 * s); now != 10000 {
		t.Errorf("the store's clock is reckoned as %d; want 10000", now)
	}
}

func TestPlacesAreTheLowestFreeAndKept(t *testing.T) {
	t.Parallel()
	s := newPlaces()
	if a, b, again := s.take("x", "a"), s.take("x", "b"), s.take("x", "a"); a != 0 || b != 1 || again != 0 {
		t.Errorf("places %d, %d, %d; want 0, 1, 0", a, b, again)
	}
	s.free("x", "a")
	s.free("x", "a")
	if c, other := s.take("x", "c"), s.take("y", "d"); c != 0 || other != 0 {
		t.Errorf("places %d, %d; want the freed one and another type's first", c, other)
	}
	if err := s.keep("x", "e", 1); err == nil {
		t.Error("two sit on one place")
	}
	if err := s.keep("x", "e", 5); err != nil {
		t.Error(err)
	}
	if f := s.take("x", "f"); f != 2 {
		t.Errorf("place %d; want 2", f)
	}
}

func TestPlacesAreFoundAgainByTheirVariables(t *testing.T) {
	t.Parallel()
	a, b, c := map[string]string{"dev": "a"}, map[string]string{"dev": "b"}, map[string]string{"dev": "c"}
	none := map[string]string{}
	type had []map[string]string // by place
	for _, x := range []struct {
		what string
		had  had
		list []map[string]string
		want []int
	}{
		{"as before", had{a, b}, []map[string]string{a, b}, []int{0, 1}},
		{"in another order", had{a, b}, []map[string]string{b, a}, []int{1, 0}},
		{"equal ones", had{a, b, a}, []map[string]string{b, a, a}, []int{1, 0, 2}},
		{"without variables", had{none, a}, []map[string]string{a, none}, []int{1, 0}},
		{"one before them", had{a, b}, []map[string]string{c, a, b}, []int{1, 2}},
		{"one changed", had{a, b}, []map[string]string{c, b}, []int{0, 1}},
		{"one gone", had{a, b}, []map[string]string{b}, []int{1, 0}},
		{"one changed and in another order", had{a, b}, []map[string]string{c, a}, []int{1, 0}},
		{"not known", had{nil, nil}, []map[string]string{b, a}, []int{0, 1}},
		{"no list any more", had{a, b}, nil, []int{0, 1}},
	} {
		var memos []statedir.Memo
		for place, vars := range x.had {
			memos = append(memos, statedir.Memo{Reservation: store.Reservation{Type: "x", Token: fmt.Sprint(place)}, Place: place, PlaceVars: vars})
		}
		ended := statedir.Memo{Reservation: store.Reservation{Type: "x", Token: "ended"}, Ended: time.Unix(1, 0)}
		memos = append([]statedir.Memo{ended}, memos...)
		s := newPlaces()
		s.resume(memos, func(string) []map[string]string { return x.list })
		var got []int
		for _, m := range memos[1:] {
			got = append(got, m.Place)
			if at := s.take("x", m.Reservation.Token); at != m.Place {
				t.Errorf("%s: seated on %d, noted %d", x.what, at, m.Place)
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: places %v; want %v", x.what, got, x.want)
		}
	}
}

func TestAPlaceBeyondTheListKeepsItsVariables(t *testing.T) {
	t.Parallel()
	a, b := map[string]string{"dev": "a"}, map[string]string{"dev": "b"}
	h := &holding{service: &plan.Service{Places: []map[string]string{b}}, memo: statedir.Memo{Place: 1, PlaceVars: a}}
	if at := h.subject(); !maps.Equal(at.PlaceVars, a) {
		t.Errorf("beyond the list: %v; want %v", at.PlaceVars, a)
	}
	h.memo.Place = 0
	if at := h.subject(); !maps.Equal(at.PlaceVars, b) {
		t.Errorf("in the list: %v; want %v", at.PlaceVars, b)
	}
}

func TestOptionsThatCannotHoldAreRefused(t *testing.T) {
	t.Parallel()
	good := func() Options {
		return Options{
			Host: "a", StateDir: "/s", Self: "/bin/x", Lookup: func(stream.Ref) (string, bool, error) { return "", false, nil },
			Retry: supervisor.Restart{Delay: time.Second, MaxDelay: time.Second, Within: time.Minute},
			TTL:   10 * time.Second, Beat: 2 * time.Second, SlowRetry: 30 * time.Second, OnStoreLoss: plan.Keep,
		}
	}
	for name, change := range map[string]func(*Options){
		"a lease too short for its beat": func(o *Options) { o.TTL, o.Beat = 5*time.Second, 2*time.Second },
		"no host":                        func(o *Options) { o.Host = "" },
		"a relative state directory":     func(o *Options) { o.StateDir = "s" },
		"a type twice": func(o *Options) {
			o.Services = []plan.Service{{Type: "x", OnStoreLoss: plan.Keep}, {Type: "x", OnStoreLoss: plan.Keep}}
		},
		"no lookup": func(o *Options) { o.Lookup = nil },
	} {
		o := good()
		change(&o)
		if _, err := New(nil, nil, o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	o := good()
	if _, err := New(nil, nil, o); err != nil {
		t.Error(err)
	}
}
