package scheduler

import (
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// TestATypeStandsInAChainSeveralTimes: each slot is placed by its type, waits for what
// its own item uses, and is the slot of its name for the others.
func TestATypeStandsInAChainSeveralTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("variant", 2, stream.Class{}), offerOf("dash", 2, stream.Class{}))
	fleet := newFleet(a)
	r.run(fleet, Options{})
	said := stream.Announcement{
		Chain: []string{"dash_low", "dash_high", "high", "low"},
		Items: stream.Items{
			"high": {Type: "variant"}, "low": {Type: "variant"},
			"dash_high": {Type: "dash", Vars: map[string]string{"in": "${high:url}"}},
			"dash_low":  {Type: "dash", Vars: map[string]string{"in": "${low:url}"}},
		},
	}
	r.add("s1", said)
	high, low := r.awaitState("s1", "high", stream.Running), r.awaitState("s1", "low", stream.Running)
	if high.Type != "variant" || low.Type != "variant" {
		t.Errorf("they run as %s and %s", high.Type, low.Type)
	}
	r.awaitReason("s1", "dash_high", "waits for high:url")
	r.awaitReason("s1", "dash_low", "waits for low:url")
	if _, err := r.store.Publish(t.Context(), low.Reservation, a.id.Incarnation, map[string]string{"url": "http://low"}); err != nil {
		t.Fatal(err)
	}
	r.awaitState("s1", "dash_low", stream.Running)
	if v := r.instance("s1", "dash_high"); v.State != stream.Pending {
		t.Errorf("dash_high is %s and high says nothing", v.State)
	}
	record, err := r.store.Record(t.Context(), "s1")
	if err != nil || record.Items.Encode() != said.Items.Encode() {
		t.Errorf("the record has the items %s, %v", record.Items.Encode(), err)
	}
	// Of another type, it is stopped and started anew as that.
	said.Items = stream.Items{"high": {Type: "dash"}, "low": {Type: "variant"}}
	said.Chain = []string{"high", "low"}
	r.add("s1", said)
	r.await("high is not of the other type", func() bool {
		v := r.instance("s1", "high")
		return v.Type == "dash" && v.State == stream.Running
	})
	if v := r.instance("s1", "low"); v.Token != low.Token {
		t.Error("low was started anew")
	}
}

func TestASwitchedSlotKeepsItsItem(t *testing.T) {
	t.Parallel()
	in := by(0, 0, 1, false)
	in.Chain, in.Items = []string{"high", "low"}, stream.Items{"high": {Type: "variant"}, "low": {Type: "variant"}}
	v := store.Declared{Key: "s1", Now: 1, BySource: map[string]store.Declaration{"in": in}, Overrides: store.Overrides{Slots: map[string]bool{"low": false, "x": true}}}
	w, _ := decideWant(store.Mark{Key: "s1"}, v, nil, 0)
	if got := w.Items.Encode(); got != `{"high":{"type":"variant"}}` {
		t.Errorf("items %s", got)
	}
	// What does not read keeps slots of the types they were of, though the items are lost.
	v.BySource, v.Problems = nil, []string{"source in: nonsense"}
	before := &store.Record{Chain: []string{"high"}, Slots: map[string]store.Slot{"high": {Type: "variant"}}}
	w, _ = decideWant(store.Mark{Key: "s1"}, v, before, 0)
	if got := w.Items.Encode(); got != `{"high":{"type":"variant"}}` {
		t.Errorf("of what does not read: items %s", got)
	}
}

// TestAnItemSaysWhichHostsMayRunIt: by labels, by what the stream says, by name; a
// change moves nothing that runs, and a drain leaves it where nobody else may have it.
func TestAnItemSaysWhichHostsMayRunIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	record := offerOf("record", 20, stream.Class{})
	fleet := newFleet(r.host("a", record), r.hostOf(stream.Labels{"site": "ber"}, "b", record), r.hostOf(stream.Labels{"site": "ham"}, "h", record))
	r.run(fleet, Options{})
	site := func(text string) stream.Selector {
		return stream.Selector{Labels: map[string]stream.Values{"site": {text}}}
	}
	said := stream.Announcement{
		Chain: []string{"ext", "mine", "named", "nowhere"},
		Items: stream.Items{
			"ext": {Type: "record", Host: site("ham")}, "mine": {Type: "record", Host: site("${stream:site}")},
			"named": {Type: "record", Host: stream.Selector{Name: "a"}}, "nowhere": {Type: "record", Host: site("hamm")},
		},
	}
	for _, key := range []string{"s1", "s2", "s3"} {
		r.add(key, said)
	}
	for _, key := range []string{"s1", "s2", "s3"} {
		for slot, host := range map[string]string{"ext": "h", "named": "a"} {
			if v := r.awaitState(key, slot, stream.Running); v.Host != host {
				t.Errorf("%s/%s is on %s, want %s", key, slot, v.Host, host)
			}
		}
	}
	r.awaitReason("s1", "nowhere", "no host that offers record is site=hamm (a, b site=ber, h site=ham)")
	r.awaitReason("s1", "mine", "it is to run on ${stream:site}, and the stream has no value for that")
	if err := r.store.Override(t.Context(), "s1", map[string]string{"var:site": "ber"}); err != nil {
		t.Fatal(err)
	}
	if v := r.awaitState("s1", "mine", stream.Running); v.Host != "b" {
		t.Errorf("mine is on %s, want b", v.Host)
	}
	ext := r.instance("s1", "ext")
	said.Items["ext"] = stream.Item{Type: "record", Host: site("ber")}
	r.add("s1", said)
	r.await("the record does not say where ext is to be", func() bool {
		record, err := r.store.Record(t.Context(), "s1")
		return err == nil && record.Items["ext"].Host.String() == "site=ber"
	})
	if err := r.store.Cordon(t.Context(), "a", stream.Draining); err != nil {
		t.Fatal(err)
	}
	r.awaitReason("s1", "named", "not moved: no host that offers record is a (b, h)")
	if v := r.instance("s1", "ext"); v.Token != ext.Token {
		t.Errorf("a changed item moved ext from %s to %s", ext.Host, v.Host)
	}
	if v := r.instance("s1", "named"); v.Host != "a" || v.State != stream.Running {
		t.Errorf("named is %s on %s; nobody else may have it, so a drain leaves it on a", v.State, v.Host)
	}
}

// TestAPairIsNeverOnOneHost: each copy has a host of its own or waits and says why, and
// what one of a pair leaves behind leads.
func TestAPairIsNeverOnOneHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.host("a", offerOf("playout", 4, stream.Class{}))
	fleet := newFleet(a)
	r.run(fleet, Options{})
	r.add("s1", stream.Announcement{Chain: []string{"playout"}, Items: stream.Items{"playout": {Copies: 2, Apart: stream.ApartHost}}})
	r.awaitState("s1", "playout.1", stream.Running)
	r.awaitReason("s1", "playout.2", "apart: a holds playout.1, and no other host offers a playout that matches")
	b := r.host("b", offerOf("playout", 4, stream.Class{}))
	fleet.mu.Lock()
	fleet.hosts["b"] = b
	fleet.mu.Unlock()
	if v := r.awaitState("s1", "playout.2", stream.Running); v.Host != "b" {
		t.Errorf("playout.2 is on %s", v.Host)
	}
	// A third waits for a host, not for room.
	r.add("s2", stream.Announcement{Chain: []string{"playout"}, Items: stream.Items{"playout": {Copies: 3, Apart: stream.ApartHost}}})
	r.awaitState("s2", "playout.2", stream.Running)
	r.awaitState("s2", "playout.1", stream.Running)
	r.awaitReason("s2", "playout.3", "apart: a holds playout.1, b holds playout.2, and no other host offers a playout that matches")
}

// TestASidecarIsWhereItsTargetIs over a move, a drain and a want of its service, and its target
// prefers hosts that take both.
func TestASidecarIsWhereItsTargetIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hls, thumb := offerOf("hls", 4, stream.Class{}), offerOf("thumb", 1, stream.Class{})
	r.run(newFleet(r.host("a", hls), r.host("b", hls, thumb), r.host("c", hls, thumb)), Options{})
	said := stream.Announcement{Chain: []string{"hls", "thumb"}, Items: stream.Items{"thumb": {With: "hls"}}}
	for _, key := range []string{"s1", "s2", "s3", "s4"} {
		r.add(key, said)
	}
	together := func(key string) store.InstanceRecord {
		t.Helper()
		var v store.InstanceRecord
		r.await("the sidecar of "+key+" is not where its target is", func() bool {
			v = r.instance(key, "hls")
			side := r.instance(key, "thumb")
			return v.State == stream.Running && side.State == stream.Running && v.Host == side.Host
		})
		return v
	}
	for _, key := range []string{"s1", "s2", "s3", "s4"} {
		if v := together(key); v.Host == "a" {
			t.Errorf("hls of %s is on a, which has no thumb, and others have room", key)
		}
	}
	from := r.instance("s1", "hls").Host
	to := map[string]string{"b": "c", "c": "b"}[from]
	r.move("s1", "hls", to, time.Minute)
	r.awaitHost("s1", "hls", to)
	together("s1")
	r.awaitNoMoves()
	// Where nobody offers it it waits, its target runs.
	r.move("s1", "hls", "a", time.Minute)
	r.awaitHost("s1", "hls", "a")
	r.awaitReason("s1", "thumb", "it runs with hls, which is on a: it offers no thumb that matches this stream")
	if err := r.store.Cordon(t.Context(), "b", stream.Draining); err != nil {
		t.Fatal(err)
	}
	r.await("b is not empty", func() bool {
		held, err := r.store.SlotsOf(t.Context(), "b")
		return err == nil && len(held) == 0
	})
	for _, key := range []string{"s2", "s3", "s4"} {
		together(key)
	}
}

// TestAPairThatCameTogetherIsParted: as soon as another host has room, with a gap or without as the service
// says, and who leads stays.
func TestAPairThatCameTogetherIsParted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := startFirst(offerOf("playout", 4, stream.Class{}))
	first.Type = "gapless"
	fleet := newFleet(r.host("a", offerOf("playout", 4, stream.Class{}), first))
	r.run(fleet, Options{})
	for _, slot := range []string{"playout", "gapless"} {
		r.add(slot, stream.Announcement{Chain: []string{slot}, Items: stream.Items{slot: {Copies: 2}}})
		r.awaitState(slot, slot+".1", stream.Running)
		r.awaitState(slot, slot+".2", stream.Running)
		r.add(slot, stream.Announcement{Chain: []string{slot}, Items: stream.Items{slot: {Copies: 2, Apart: stream.ApartHost}}})
	}
	b := r.host("b", offerOf("playout", 4, stream.Class{}), first)
	fleet.mu.Lock()
	fleet.hosts["b"] = b
	fleet.mu.Unlock()
	for _, slot := range []string{"playout", "gapless"} {
		var all []store.InstanceRecord
		r.await("the copies of "+slot+" are not apart", func() bool {
			record, err := r.store.Record(t.Context(), slot)
			all = record.Of(slot)
			return err == nil && len(all) == 2 && all[0].Host != all[1].Host && all[0].State == stream.Running && all[1].State == stream.Running
		})
		record, err := r.store.Record(t.Context(), slot)
		if lead := record.LeadOf(slot); err != nil || lead.Host != "a" {
			t.Errorf("%s is led by %s on %s, %v; it led before, and stays", slot, lead.Instance, lead.Host, err)
		}
	}
	r.awaitNoMoves()
}
