package scheduler

import (
	"errors"
	"slices"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// TestEachHostSaysWhyItHasASlotOrNot: by the same policies that place it, with what helps.
func TestEachHostSaysWhyItHasASlotOrNot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one := offerOf("record", 1, stream.Class{})
	fleet := newFleet(
		r.hostOf(stream.Labels{"site": "ber"}, "b", one), r.hostOf(stream.Labels{"site": "ham"}, "h", one), r.hostOf(stream.Labels{"site": "ham"}, "i", one),
		r.host("other", offerOf("thumb", 1, stream.Class{})), r.host("strict", offerOf("record", 1, stream.Class{Filter: "^z"})),
	)
	if err := r.store.Cordon(t.Context(), "i", stream.Cordoned); err != nil {
		t.Fatal(err)
	}
	r.run(fleet, Options{})
	said := stream.Announcement{Chain: []string{"record"}, Items: stream.Items{"record": {Host: stream.Selector{Labels: map[string]stream.Values{"site": {"ham"}}}}}}
	r.add("s1", said)
	r.awaitState("s1", "record", stream.Running)
	r.add("s2", said)
	r.awaitReason("s2", "record", "all that match and are up are full: 1/1; not up: i cordoned")

	waits, err := Why(t.Context(), r.store, "s2", "record")
	if err != nil {
		t.Fatal(err)
	}
	has, err := Why(t.Context(), r.store, "s1", "record.1")
	if err != nil {
		t.Fatal(err)
	}
	of := func(w stream.WhyStatus, host string) stream.WhyHost {
		return w.Hosts[slices.IndexFunc(w.Hosts, func(h stream.WhyHost) bool { return h.Host == host })]
	}
	if w := of(has, "h"); !w.Has || w.Reason != "" || has.Hosts[0].Host != "h" {
		t.Errorf("who has it says %+v, the first is %s", w, has.Hosts[0].Host)
	}
	for host, want := range map[string]string{
		"b":      "no host that offers record is site=ham (b site=ber)",
		"h":      "the only record service that matches is full: 1/1",
		"i":      "no record service that matches is up: i cordoned",
		"other":  "it offers no record that matches this stream",
		"strict": "the filter of the only record service does not match this stream",
	} {
		if w := of(waits, host); w.Reason != want || w.Has || w.Room {
			t.Errorf("%s says %+v; want %q", host, w, want)
		}
	}
	var do []string
	for _, d := range waits.Do {
		do = append(do, d.Command)
	}
	if want := []string{"stream-api services set record h capacity=N", "stream-api hosts uncordon i"}; !slices.Equal(do, want) {
		t.Errorf("what helps: %q, want %q", do, want)
	}
	if waits.Name != "record" || waits.Instance != "record.1" || waits.Reason != "all that match and are up are full: 1/1; not up: i cordoned" {
		t.Errorf("as a whole it says %+v", waits)
	}

	// What is so now counts, not what was noted.
	if err := r.store.Cordon(t.Context(), "i", stream.Up); err != nil {
		t.Fatal(err)
	}
	r.awaitState("s2", "record", stream.Running)
	if has, err = Why(t.Context(), r.store, "s1", "record"); err != nil || of(has, "i").Room {
		t.Errorf("%v: i has one place and holds s2, and would take s1", err)
	}
	more := 2
	if err := r.store.SetCapacity(t.Context(), "record", "i", &more); err != nil {
		t.Fatal(err)
	}
	has, err = Why(t.Context(), r.store, "s1", "record")
	if err != nil || !of(has, "i").Room || len(has.Do) != 1 || has.Do[0].Command != "stream-api streams move s1 record i" {
		t.Errorf("%v: with room on i, what helps is %v", err, has.Do)
	}
	if _, err := Why(t.Context(), r.store, "s1", "thumb"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a slot that is not: %v", err)
	}
}

// TestWhyNamesTheCopyThatIsApart: host by host, and what never takes it is refused before it is asked.
func TestWhyNamesTheCopyThatIsApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fleet := newFleet(r.host("a", offerOf("record", 5, stream.Class{})), r.host("strict", offerOf("record", 1, stream.Class{Filter: "^z"})))
	r.run(fleet, Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}, Items: stream.Items{"record": {Copies: 2, Apart: stream.ApartHost}}})
	r.awaitState("s1", "record", stream.Running)
	waits, err := Why(t.Context(), r.store, "s1", "record.2")
	if err != nil {
		t.Fatal(err)
	}
	if h := waits.Hosts[slices.IndexFunc(waits.Hosts, func(h stream.WhyHost) bool { return h.Host == "a" })]; h.Reason != "apart: holds record.1 of this stream" || h.Room {
		t.Errorf("a says %+v", h)
	}
	if do := waits.Do; len(do) != 1 || do[0].Command != "stream-api streams move s1 record.2 a --anyway" {
		t.Errorf("what helps: %v", do)
	}
	for host, want := range map[string]string{"a": "", "strict": "the filter of the only record service does not match this stream"} {
		if why, err := Refuses(t.Context(), r.store, "s1", "record", host); err != nil || why.Reason != want {
			t.Errorf("%s refuses for %q, %v; want %q", host, why.Reason, err, want)
		}
	}
}
