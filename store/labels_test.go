package store_test

import (
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// labelled registers a host whose file says so of it.
func (g *stage) labelled(h store.Holder, replaces string, labels stream.Labels, class stream.Class) {
	g.t.Helper()
	_, err := g.s.Register(g.ctx, store.Registration{
		Holder: h, Replaces: replaces, HostID: "id-" + h.Host, TTL: 10 * time.Second, Beat: 2 * time.Second, Labels: labels,
		Offers: []store.Offer{{Type: "enc", Capacity: limit(2), Class: class}},
	})
	g.must(err)
}

// TestTheClassIsOfWhatIsSoNow: of filter, preference and needs in the hash and of the
// labels of the host, whoever changed which of them, when the host registers as when it is re-indexed.
func TestTheClassIsOfWhatIsSoNow(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	ber, ham := stream.Labels{"site": "ber", "gpu": "vaapi"}, stream.Labels{"site": "ham"}
	class := stream.Class{Prefer: "^s", Needs: "dist:url"}
	is := func(when string, want stream.Class) {
		t.Helper()
		if got := g.service("class"); got != want.ID() {
			t.Errorf("%s the class is %s; want %s, of %+v", when, got, want.ID(), want)
		}
		all, err := g.s.Classes(g.ctx, "enc")
		g.must(err)
		if all[want.ID()] != want {
			t.Errorf("%s class %s is kept as %+v; want %+v", when, want.ID(), all[want.ID()], want)
		}
		for id := range all {
			if at := g.client.ZScore(g.ctx, "load:enc:"+id, "a"); (at.Err() == nil) != (id == want.ID()) {
				t.Errorf("%s it is in the load set of %s, or not in that of its class", when, id)
			}
		}
	}
	with := func(l stream.Labels) stream.Class { c := class; c.Labels = l.Encode(); return c }
	g.labelled(store.Holder{Host: "a", Incarnation: "a-1"}, "", ber, class)
	is("registered", with(ber))
	g.must(g.client.HSet(g.ctx, "service:enc:a", "filter", "^only$").Err())
	class.Filter = "^only$"
	g.reindex("a")
	is("with a filter by hand", with(ber))
	g.labelled(store.Holder{Host: "a", Incarnation: "a-2"}, "a-1", ham, stream.Class{Prefer: "^s", Needs: "dist:url"})
	is("with a new file beside that filter", with(ham))
	g.must(g.client.HSet(g.ctx, "host:a", "labels", `{"site":"dus"}`).Err())
	g.reindex("a")
	is("with labels by hand", with(stream.Labels{"site": "dus"}))
	g.labelled(store.Holder{Host: "a", Incarnation: "a-3"}, "a-2", nil, stream.Class{Prefer: "^s", Needs: "dist:url"})
	is("without labels", with(nil))
	if n := g.client.HExists(g.ctx, "host:a", "labels").Val(); n {
		t.Error("labels that the file has no more are kept")
	}
}

// TestLabelsThatAreNonsenseTakeNothing, and say so.
func TestLabelsThatAreNonsenseTakeNothing(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	g.labelled(store.Holder{Host: "a", Incarnation: "a-1"}, "", stream.Labels{"site": "ber"}, stream.Class{})
	g.must(g.client.HSet(g.ctx, "host:a", "labels", "site: ber").Err())
	g.reindex("a")
	hosts, err := g.s.Hosts(g.ctx)
	g.must(err)
	v := hosts[0].Services[0]
	if v.Reason.Code != stream.CodeBadLabels || !strings.Contains(v.Reason.String(), "no JSON object") {
		t.Errorf("the service says %q", v.Reason)
	}
	all, err := g.s.Classes(g.ctx, "enc")
	g.must(err)
	if _, err := all[g.service("class")].Compile(); err == nil {
		t.Error("a class of such labels is asked for slots")
	}
}
