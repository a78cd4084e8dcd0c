package store_test

import (
	"maps"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// successor puts one of what runs of s1 in line and places it on the host.
func (g *stage) successor(host string) store.Reservation {
	g.t.Helper()
	m, err := g.s.Move(g.ctx, "s1", "enc", host, 0)
	g.must(err)
	g.must(g.s.Succeed(g.ctx, m))
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	next := r.Successor(m.Instance)
	got, err := g.s.Place(g.ctx, []store.Request{{Key: "s1", Instance: next.Instance, Type: "enc", Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: host}}}})
	g.must(err)
	if got[0].Outcome != store.Placed {
		g.t.Fatalf("no place on %s: %+v", host, got[0])
	}
	return got[0].Reservation
}

// says has a holder publish a URL and report that its child is up.
func (g *stage) says(v store.Reservation, h store.Holder, url string) {
	g.t.Helper()
	_, err := g.s.Publish(g.ctx, v, h.Incarnation, map[string]string{"url": url})
	g.must(err)
	g.must(g.s.Report(g.ctx, v, h.Incarnation, store.Observation{Fields: map[string]string{"up": "1", "phase": ""}}))
}

func (g *stage) phase(v store.Reservation, h store.Holder, phase stream.Phase) {
	g.t.Helper()
	g.must(g.s.Report(g.ctx, v, h.Incarnation, store.Observation{Fields: map[string]string{"phase": string(phase)}}))
}

// heard is who leads s1/enc, and what the slot says.
func (g *stage) heard() (lead, url string) {
	g.t.Helper()
	row := g.client.HGetAll(g.ctx, "stream:s1:enc").Val()
	return row["lead"], row["var:url"]
}

func (g *stage) leads(instance, url, when string) {
	g.t.Helper()
	if lead, says := g.heard(); lead != instance || says != url {
		g.t.Errorf("%s %q leads and the slot says %q; want %s and %s", when, lead, says, instance, url)
	}
	g.balanced(when)
}

// pair has enc.1 of s1 run on a and lead, and its successor enc.2 on b, ready.
func pair(g *stage) (a, b store.Holder, v, next store.Reservation) {
	g.t.Helper()
	g.open()
	a, b = g.host("a"), g.host("b")
	g.want("s1")
	v = g.given("s1", "a")
	g.runs(v, a)
	g.says(v, a, "of-a")
	next = g.successor("b")
	g.must(g.s.Claim(g.ctx, next, b.Incarnation))
	g.leads("enc.1", "of-a", "beside a successor that runs")
	g.says(next, b, "of-b")
	g.leads("enc.1", "of-a", "beside a successor that is ready")
	return a, b, v, next
}

func TestTheReadySuccessorOfALeadThatIsTakenBackLeadsInThatStep(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(g *stage, a, b store.Holder, v store.Reservation){
		"release": func(g *stage, a, _ store.Holder, v store.Reservation) { g.release(v, a) },
		"gives up": func(g *stage, a, _ store.Holder, v store.Reservation) {
			_, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeExited, "exit", "exit 1"), Avoid: time.Minute})
			g.must(err)
		},
		"reap": func(g *stage, _, b store.Holder, _ store.Reservation) { g.pass(11*time.Second, b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			a, b, v, next := pair(g)
			rev := g.client.HGet(g.ctx, "host:b", "rev").Val()
			take(g, a, b, v)
			g.leads("enc.2", "of-b", "after the lead was taken back")
			r, err := g.s.Record(g.ctx, "s1")
			g.must(err)
			if n := r.LeadOf("enc"); n.State != stream.Running || n.Token != next.Token || n.Follows != "" || len(r.Instances) != 1 {
				t.Errorf("instances %+v; want the successor alone, and nobody's", r.Instances)
			}
			if moves, err := g.s.Moves(g.ctx); err != nil || len(moves) != 0 {
				t.Errorf("moves %+v, %v; want none", moves, err)
			}
			if g.client.HGet(g.ctx, "host:b", "rev").Val() == rev {
				t.Error("the new lead's host is not told")
			}
			if _, avoided := r.LeadOf("enc").Avoid["a"]; avoided != (name == "gives up") {
				t.Errorf("avoids %v", r.LeadOf("enc").Avoid)
			}
		})
	}
}

// A successor that does not run yet is one too many when the other goes back in
// line: nobody ever waits twice for one slot.
func TestASuccessorThatDoesNotRunGivesWay(t *testing.T) {
	t.Parallel()
	for _, placed := range []bool{false, true} {
		g := newStage(t).open()
		a, b := g.host("a"), g.host("b")
		g.want("s1")
		v := g.given("s1", "a")
		g.runs(v, a)
		var next store.Reservation
		if placed {
			next = g.successor("b")
		} else {
			m, err := g.s.Move(g.ctx, "s1", "enc.1", "b", 0)
			g.must(err)
			g.must(g.s.Succeed(g.ctx, m))
		}
		g.dies(v)
		g.release(v, a)
		g.balanced("the release")
		r, err := g.s.Record(g.ctx, "s1")
		g.must(err)
		if s := r.Instances["enc.1"]; len(r.Instances) != 1 || s.State != stream.Pending || s.Move != "b" {
			t.Fatalf("placed %v: %+v; want enc.1 in line for b", placed, r.Instances)
		}
		if err := g.s.Claim(g.ctx, next, b.Incarnation); placed && err == nil {
			t.Error("what gave way is claimed")
		}
		if used := g.client.HGet(g.ctx, "service:enc:b", "used").Val(); used != "0" {
			t.Errorf("b counts %s used", used)
		}
	}
}

func TestAReadySuccessorTakesThePlaceOfTheOneItFollows(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, _, v, next := pair(g)
	c, err := g.s.Lead(g.ctx, v, next.Token)
	g.must(err)
	g.leads("enc.2", "of-b", "after the handover")
	if len(c.Stops) != 1 || c.Stops[0] != v {
		t.Errorf("stops %+v; want %+v", c.Stops, v)
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if r.Instances["enc.1"].State != stream.Stopping || r.Instances["enc.2"].Copy != 1 || r.Instances["enc.2"].Follows != "" {
		t.Errorf("instances %+v", r.Instances)
	}
	if _, err := g.s.Lead(g.ctx, v, next.Token); err == nil {
		t.Error("handed over twice")
	}
	m, err := g.s.Move(g.ctx, "s1", "enc", "a", 0)
	g.must(err)
	g.must(g.s.Succeed(g.ctx, m)) // waits for the end of the one before
	if r, err = g.s.Record(g.ctx, "s1"); err != nil || len(r.Instances) != 2 {
		t.Errorf("a third instance beside one that is stopping: %+v, %v", r.Instances, err)
	}
	g.dies(v)
	g.release(v, a)
	g.leads("enc.2", "of-b", "after the end of the other")
	g.must(g.s.Succeed(g.ctx, m))
	if r, err = g.s.Record(g.ctx, "s1"); err != nil || r.Instances["enc.3"].State != stream.Pending {
		t.Errorf("%+v, %v; want enc.3 in line, as names are never used again", r.Instances, err)
	}
}

// The slot's variables are those of who leads, and stay until another's come.
func TestALeadThatIsNotReadyForLongGivesWayAndDoesNotComeBack(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, b, v, next := pair(g)
	g.phase(v, a, stream.Failing)
	g.leads("enc.1", "of-a", "as it begins to fail")
	g.pass(4500*time.Millisecond, a, b)
	if n, err := g.s.RequeueDue(g.ctx, 10); err != nil || n != 0 {
		t.Fatalf("looked at too soon: %d, %v", n, err)
	}
	g.pass(time.Second, a, b)
	if n, err := g.s.RequeueDue(g.ctx, 10); err != nil || n != 1 {
		t.Fatalf("not looked at after 5 s: %d, %v", n, err)
	}
	wantMarked(t, g.s, "s1", true, "enc")
	g.leads("enc.2", "of-b", "after 5 s")
	g.phase(v, a, stream.Runs)
	g.says(v, a, "of-a again")
	g.leads("enc.2", "of-b", "when the other is ready again")
	if r, err := g.s.Record(g.ctx, "s1"); err != nil || r.Instances[v.Instance].State != stream.Running || r.Instances[next.Instance].State != stream.Running {
		t.Errorf("%+v, %v", r.Instances, err)
	}
}

// A plain slot is led by its only instance, whatever that is doing.
func TestWhatASlotSaysOutlivesItsHolder(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.says(v, a, "of-a")
	g.dies(v)
	g.release(v, a)
	g.leads("enc.1", "of-a", "while it waits")
	if n := g.instance("s1"); len(n.Vars) != 0 || n.State != stream.Pending {
		t.Errorf("the instance itself still publishes: %+v", n)
	}
	v = g.given("s1", "b")
	g.runs(v, b)
	g.leads("enc.1", "of-a", "before the next holder publishes")
	g.says(v, b, "of-b")
	g.leads("enc.1", "of-b", "after that")
}

// A slot's name and its type are two things.
func TestASlotWhoseTypeHasAnotherName(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a, b := g.host("a"), g.host("b")
	g.must(g.s.AddStream(g.ctx, "s1", stream.Announcement{Chain: []string{"left", "right"}}))
	want := func(items stream.Items) store.Commands {
		t.Helper()
		g.must(g.s.MarkDirty(g.ctx, "s1"))
		c, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Chain: []string{"left", "right"}, Items: items, Fields: map[string]string{"source": "manual"}})
		g.must(err)
		return c
	}
	both := stream.Items{"left": {Type: "enc"}, "right": {Type: "enc"}}
	want(both)
	waiting, err := g.s.Pending(g.ctx, "enc", 0, 10)
	g.must(err)
	if len(waiting) != 2 {
		t.Fatalf("in line for enc: %+v; want both slots", waiting)
	}
	held := map[string]store.Reservation{}
	for i, w := range waiting {
		h := []store.Holder{a, b}[i]
		got, err := g.s.Place(g.ctx, []store.Request{{Key: w.Key, Instance: w.Instance, Type: w.Type, Candidates: []store.Candidate{{Class: stream.Class{}.ID(), Host: h.Host}}}})
		g.must(err)
		v := got[0].Reservation
		held[stream.SlotOf(v.Instance)] = v
		g.runs(v, h)
		_, err = g.s.Publish(g.ctx, v, h.Incarnation, map[string]string{"url": "of-" + stream.SlotOf(v.Instance)})
		g.must(err)
		g.balanced("place and claim")
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	for slot := range both {
		if s := r.Slots[slot]; s.Type != "enc" || s.State != stream.Running || !maps.Equal(s.Vars, map[string]string{"url": "of-" + slot}) {
			t.Errorf("%s is %+v", slot, s)
		}
	}
	m, err := g.s.Move(g.ctx, "s1", "left", "b", 0)
	g.must(err)
	moves, err := g.s.Moves(g.ctx)
	g.must(err)
	if len(moves) != 1 || moves[0] != m && moves[0].Reservation != m.Reservation || m.Type != "enc" || m.Instance != "left.1" {
		t.Errorf("moves %+v, asked for %+v", moves, m)
	}
	g.must(g.s.Succeed(g.ctx, m))
	g.balanced("succeed")
	g.pass(11*time.Second, b) // a dies
	g.balanced("reap")
	if r, err = g.s.Record(g.ctx, "s1"); err != nil || r.LeadOf("left").State != stream.Pending || r.LeadOf("left").Type != "enc" {
		t.Errorf("left after its host's death: %+v, %v", r.LeadOf("left"), err)
	}
	_, err = g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	// Of another type, it is another instance.
	c := want(stream.Items{"left": {Type: "rec"}, "right": {Type: "rec"}})
	if r, err = g.s.Record(g.ctx, "s1"); err != nil || r.LeadOf("left").Type != "rec" || r.LeadOf("left").Instance != "left.3" {
		t.Errorf("left as rec: %+v, %v", r.Instances, err)
	}
	if len(c.Stops) != 1 || c.Stops[0] != held["right"] || r.LeadOf("right").State != stream.Stopping {
		t.Errorf("stops %+v; want what runs of right, of which there is one at a time: %+v", c.Stops, r.Of("right"))
	}
	g.balanced("another type")
}
