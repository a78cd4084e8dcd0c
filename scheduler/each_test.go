package scheduler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// relays are where the instances of relay of s1 are and how they stand, in the order of hosts.
func (r *rig) relays() string {
	r.t.Helper()
	record, err := r.store.Record(r.t.Context(), "s1")
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, v := range record.Of("relay") {
		if strings.Contains(v.Instance, "@") && v.Host != "" && stream.SlotOf(v.Instance)+"@"+v.Host != v.Instance {
			r.t.Errorf("%s is on %s", v.Instance, v.Host)
		}
		out = append(out, strings.TrimPrefix(v.Instance, "relay@")+" "+string(v.State))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (r *rig) awaitRelays(want string) {
	r.t.Helper()
	r.await("the relays are not "+want, func() bool { return r.relays() == want })
}

func (f *fleet) join(h *host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[h.id.Host] = h
}

// TestEachHostHasItsOwn: what joins gets one, what dies waits for its host, who is cordoned
// keeps it and gets no new one, a drain ends it last, who leaves the file has none; and
// nothing of the others is touched by any of that.
func TestEachHostHasItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	relay, enc := offerOf("relay", 20, stream.Class{}), offerOf("enc", 20, stream.Class{})
	a, b := r.host("a", relay, enc), r.host("b", relay)
	fleet := newFleet(a, b)
	r.run(fleet, Options{})
	said := stream.Announcement{Chain: []string{"relay"}, Items: stream.Items{"relay": {Each: stream.EachHost}}}
	r.add("s1", said)
	r.awaitRelays("a running, b running")
	first := r.instance("s1", "relay@a")
	c := r.host("c", relay, enc)
	fleet.join(c)
	r.awaitRelays("a running, b running, c running")
	r.add("s2", stream.Announcement{Chain: []string{"enc"}})
	enced := r.awaitState("s2", "enc", stream.Running)

	if _, err := r.store.Move(t.Context(), "s1", "relay@b", "a", 0); err == nil || !strings.Contains(err.Error(), "one on every host") {
		t.Errorf("moved: %v", err)
	}
	b.die()
	r.awaitRelays("a running, b pending, c running")
	r.awaitReason("s1", "relay@b", "waits for its host: b is down")
	b.register(relay)
	b.keepBeating(relay)
	r.awaitRelays("a running, b running, c running")

	if err := r.store.Cordon(t.Context(), "c", stream.Cordoned); err != nil {
		t.Fatal(err)
	}
	r.add("s3", said)
	r.awaitState("s3", "relay@a", stream.Running)
	r.awaitState("s3", "relay@b", stream.Running)
	r.awaitRelays("a running, b running, c running")
	if record, err := r.store.Record(t.Context(), "s3"); err != nil || len(record.Instances) != 2 {
		t.Errorf("a cordoned host got a new one: %v, %v", record.Instances, err)
	}

	// The encoder goes first, wherever it is, and the relay only then.
	drained, other := enced.Host, map[string]string{"a": "c", "c": "a"}[enced.Host]
	if err := r.store.Cordon(t.Context(), "c", stream.Up); err != nil {
		t.Fatal(err)
	}
	took := fleet.hosts[other]
	took.mu.Lock()
	took.refuse = true
	took.mu.Unlock()
	if err := r.store.Drain(t.Context(), drained, 0, 0); err != nil {
		t.Fatal(err)
	}
	r.await("the encoder is not on its way", func() bool { return r.instance("s2", "enc").Host != drained })
	r.await("the relay goes on or has gone with the encoder", func() bool {
		return !strings.Contains(r.relays(), drained+" ")
	})
	if got := r.relays(); got != strings.Replace("a running, b running, c running", drained+" running", "", 1) && !strings.Contains(got, other+" running") {
		t.Errorf("after the drain: %s", got)
	}
	if err := r.store.Cordon(t.Context(), drained, stream.Up); err != nil {
		t.Fatal(err)
	}
	took.mu.Lock()
	took.refuse = false
	took.mu.Unlock()
	r.awaitRelays("a running, b running, c running")

	// A file that offers it no more.
	b.register()
	r.awaitRelays("a running, c running")
	if v := r.instance("s1", "relay@a"); drained != "a" && v.Token != first.Token {
		t.Error("what others did started the one of a anew")
	}
}

// TestTheWantOfEachIsWhatTheHostsAre: a hand that takes instances away, or adds some, changes
// nothing for long.
func TestTheWantOfEachIsWhatTheHostsAre(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	relay := offerOf("relay", 20, stream.Class{})
	fleet := newFleet(r.host("a", relay), r.hostOf(stream.Labels{"site": "ham"}, "b", relay))
	r.run(fleet, Options{})
	r.add("s0", stream.Announcement{Chain: []string{"none"}, Items: stream.Items{"none": {Each: stream.EachHost}}})
	r.await("nothing says that nobody offers it", func() bool {
		s, err := r.store.StreamStatus(t.Context(), "s0")
		return err == nil && s.Code == stream.CodeEachNone
	})
	r.add("s1", stream.Announcement{Chain: []string{"relay"}, Items: stream.Items{"relay": {Each: stream.EachHost}}})
	r.awaitRelays("a running, b running")
	client := r.redis.Client()
	if err := errors.Join(client.Del(t.Context(), "stream:s1:relay@b").Err(), client.HDel(t.Context(), "stream:s1", "instance:relay@b").Err(),
		client.HSet(t.Context(), "stream:s1", "instance:relay@x", "relay").Err()); err != nil {
		t.Fatal(err)
	}
	r.await("the record is not mended", func() bool {
		record, err := r.store.Record(context.Background(), "s1")
		return err == nil && len(record.Instances) == 2 && record.Instances["relay@b"].Only == "b"
	})
	// By the label of its host, then as one of any hosts.
	r.add("s1", stream.Announcement{Chain: []string{"relay"}, Items: stream.Items{"relay": {Each: stream.EachHost, Host: stream.Selector{Labels: map[string]stream.Values{"site": {"ham"}}}}}})
	r.await("a has one still", func() bool { return strings.HasPrefix(r.relays(), "b ") && !strings.Contains(r.relays(), ",") })
	r.add("s1", stream.Announcement{Chain: []string{"relay"}})
	r.await("it is not a plain slot", func() bool {
		record, err := r.store.Record(context.Background(), "s1")
		return err == nil && len(record.Instances) == 1 && record.Instances["relay.1"].State == stream.Running
	})
	r.add("s1", stream.Announcement{Chain: []string{"relay"}, Items: stream.Items{"relay": {Each: stream.EachHost}}})
	r.awaitRelays("a running, b running")
}
