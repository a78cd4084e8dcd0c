package store_test

import (
	"slices"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// marked reads the mark on a stream; the test ends if there is none.
func (g *stage) marked(key string) store.Mark {
	g.t.Helper()
	marks, err := g.s.Dirty(g.ctx, 100)
	g.must(err)
	at := slices.IndexFunc(marks, func(m store.Mark) bool { return m.Key == key })
	if at < 0 {
		g.t.Fatalf("%s is not marked: %+v", key, marks)
	}
	return marks[at]
}

// emptied brings s1/enc to life, empties the store, and has the holder come
// back and assert. Its hold lasts.
func emptied(g *stage) (store.Holder, store.Reservation) {
	g.t.Helper()
	a, v := running(g)
	g.empty()
	g.tick()
	g.must(g.register(a, "id-a", ""))
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{
		Source: "src", Announcement: stream.Announcement{Chain: []string{"enc"}}.Encode(), Chain: []string{"enc"},
	})
	g.must(err)
	if !got.Keep {
		g.t.Fatalf("the holder is sent away: %+v", got)
	}
	return a, v
}

// TestAHoldUnwantsNothing: after a loss of all data, a poller with an older file
// may be the first to speak, an operator's `streams add` may be gone, and a word
// may not be here yet. Only what is still so after the hold ends anything.
func TestAHoldUnwantsNothing(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]store.Want{
		"the chain of an older file":   {Wanted: true, Chain: []string{"rec"}, Fields: map[string]string{"source": "src"}},
		"nobody announces it":          {},
		"an operator holds the stream": {Wanted: true, Held: true, Chain: []string{"enc"}, Fields: map[string]string{"source": "src"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			a, v := emptied(g)
			said.Mark = g.marked("s1")
			c, err := g.s.Want(g.ctx, said)
			g.must(err)
			if now := g.instance("s1"); now.State != stream.Running || now.Token != v.Token || len(c.Stops) > 0 {
				t.Fatalf("in the hold: %+v, stops %+v; want it untouched", now, c.Stops)
			}
			if marks, err := g.s.Dirty(g.ctx, 10); err != nil || len(marks) > 0 {
				t.Fatalf("marks %+v, %v; want none, so that schedulers do not spin", marks, err)
			}
			g.pass(20*time.Second, a)
			if n, err := g.s.RequeueDue(g.ctx, 10); err != nil || n != 1 {
				t.Fatalf("%d streams are looked at again after the hold, %v; want this one", n, err)
			}
			said.Mark = g.marked("s1")
			c, err = g.s.Want(g.ctx, said)
			g.must(err)
			if now := g.instance("s1"); now.State != stream.Stopping || len(c.Stops) != 1 {
				t.Fatalf("after the hold: %+v, stops %+v; want it to end", now, c.Stops)
			}
		})
	}
}

// TestAHoldAddsWhatIsWanted: what is new stands in line when it is over.
func TestAHoldAddsWhatIsWanted(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	emptied(g)
	_, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Chain: []string{"enc", "rec"}, Fields: map[string]string{"source": "src"}})
	g.must(err)
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if r.LeadOf("rec").State != stream.Pending || r.LeadOf("enc").State != stream.Running {
		t.Fatalf("slots %+v", r.Slots)
	}
}

// TestWhatIsAddedByHandIsNeverAway: nobody polls it, so nothing says that it is
// there but its own announcement; also in a store that was emptied, and where a
// hand took away what is known of its source.
func TestWhatIsAddedByHandIsNeverAway(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(g *stage, a store.Holder, v store.Reservation) error{
		"FLUSHALL": func(g *stage, a store.Holder, v store.Reservation) error {
			g.empty()
			g.tick()
			g.must(g.register(a, "id-a", ""))
			_, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{
				Source: store.ManualSource, Announcement: stream.Announcement{Chain: []string{"enc"}}.Encode(), Chain: []string{"enc"},
			})
			return err
		},
		"DEL source:manual": func(g *stage, _ store.Holder, _ store.Reservation) error {
			return g.client.Del(g.ctx, "source:manual").Err()
		},
		"HSET missing:manual s1": func(g *stage, _ store.Holder, _ store.Reservation) error {
			return g.client.HSet(g.ctx, "missing:manual", "s1", "1").Err()
		},
		"SET source:manual x": func(g *stage, _ store.Holder, _ store.Reservation) error {
			return g.client.Set(g.ctx, "source:manual", "x", 0).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			a, v := running(g)
			g.must(harm(g, a, v))
			declared, err := g.s.Declared(g.ctx, "s1")
			g.must(err)
			by := declared.BySource[store.ManualSource]
			if by.State != stream.SourceGood || by.MissingSince != 0 || !slices.Equal(by.Chain, []string{"enc"}) {
				t.Fatalf("declared of it: %+v, problems %v; want it good and listed", by, declared.Problems)
			}
		})
	}
}

// TestASourceOffTheListStillSpeaksForItsStreams: SREM sources, or another type.
func TestASourceOffTheListStillSpeaksForItsStreams(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"gone", "string"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			running(g)
			g.must(g.client.HSet(g.ctx, "stream:s1", "source", store.ManualSource).Err())
			g.must(g.client.Del(g.ctx, "sources").Err())
			if kind == "string" {
				g.must(g.client.Set(g.ctx, "sources", "x", 0).Err())
			}
			declared, err := g.s.Declared(g.ctx, "s1")
			g.must(err)
			if _, ok := declared.BySource[store.ManualSource]; !ok || (len(declared.Problems) > 0) != (kind == "string") {
				t.Fatalf("%+v; want its source heard, and a problem only where the list does not read", declared)
			}
		})
	}
}
