package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// togetherOf is with whom an instance is, as the status says, and by whose word.
func (g *stage) togetherOf(instance string) (with []string, by string) {
	g.t.Helper()
	all, err := g.s.StatusOf(g.ctx, []string{"s1"})
	g.must(err)
	for _, v := range all[0].Slots {
		if v.Instance == instance && v.Together != nil {
			return v.Together.With, v.Together.By
		}
	}
	return nil, ""
}

// Without the word it is refused by name, with it done, told, and over when they are apart again: by a
// move that stops first, and by one that starts first.
func TestACopyIsMovedBesideAnotherByTheWordOfAnOperator(t *testing.T) {
	t.Parallel()
	for _, startFirst := range []bool{false, true} {
		g := newStage(t).open()
		a, b := g.host("a"), g.host("b")
		g.copies(2, stream.ApartHost)
		one, two := g.copyOn("enc.1", "a").Reservation, g.copyOn("enc.2", "b").Reservation
		g.up(one, a)
		g.up(two, b)
		var no *store.MoveError
		if _, err := g.s.Move(g.ctx, "s1", "enc.2", "a", 0); !errors.As(err, &no) || !no.Refused() ||
			!strings.HasSuffix(err.Error(), "a holds enc.1 of this stream; to have it there all the same: stream-api streams move s1 enc.2 a --anyway") {
			t.Fatalf("without the word: %v", err)
		}
		m, moving, err := g.s.MoveAnyway(g.ctx, "s1", "enc.2", "a", 0)
		if err != nil || !moving {
			t.Fatalf("with it: %+v, %v, %v", m, moving, err)
		}
		next := "enc.2"
		if startFirst {
			g.must(g.s.Succeed(g.ctx, m))
			next = "enc.3"
		} else {
			if got, err := g.s.Evict(g.ctx, m, false, []string{stream.Class{}.ID()}); err != nil || got != store.Asked {
				t.Fatalf("it is asked to leave b: %v, %v", got, err)
			}
			g.release(two, b)
		}
		got := g.copyOn(next, "a")
		if got.Host != "a" {
			t.Fatalf("start first %v: %s is placed: %+v", startFirst, next, got)
		}
		g.up(got.Reservation, a)
		if startFirst {
			_, err := g.s.Lead(g.ctx, two, got.Token)
			g.must(err)
			g.release(two, b)
		} else {
			_, err := g.s.EndMove(g.ctx, m, stream.Reason{})
			g.must(err)
		}
		if with, by := g.togetherOf(next); !slices.Equal(with, []string{"enc.1"}) || by != "test" {
			t.Errorf("start first %v: together with %v by %q", startFirst, with, by)
		}
		if with, by := g.togetherOf("enc.1"); !slices.Equal(with, []string{next}) || by != "test" {
			t.Errorf("the other is together with %v by %q", with, by)
		}
		g.copies(2, stream.ApartHost)
		if v := g.ofEnc(); v[1].Anyway != "a" || v[1].Host != "a" {
			t.Errorf("the word is forgotten while they are together: %+v", v[1])
		}

		// The host of both dies, and b has room: they are apart, and the word is over.
		g.release(got.Reservation, a)
		g.pass(6*time.Second, a, b) // it is kept off b for 5 s after it left it
		if got = g.copyOn(next, ""); got.Host != "b" {
			t.Errorf("with room on b it is placed on %+v", got)
		}
		if v := g.ofEnc(); v[1].Anyway != "" {
			t.Errorf("apart again, its record says %+v", v[1])
		}
	}
}

// What waits as the only other host is down may have its place beside the other; who leads moves away, and
// the next look ends the word.
func TestAWaitingCopyIsLetInByTheWordOfAnOperator(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.copies(2, stream.ApartHost)
	one := g.copyOn("enc.1", "a").Reservation
	g.up(one, a)
	if got := g.copyOn("enc.2", ""); got.Outcome != store.Full {
		t.Fatalf("beside the other: %+v", got)
	}
	if _, _, err := g.s.Pin(g.ctx, "s1", "enc.2", "a", 0); err == nil || !strings.Contains(err.Error(), "with --anyway") {
		t.Errorf("a pin: %v", err)
	}
	if _, moving, err := g.s.MoveAnyway(g.ctx, "s1", "enc.2", "a", 0); err != nil || moving {
		t.Fatalf("the word on what waits: %v, %v", moving, err)
	}
	if marks, err := g.s.Dirty(g.ctx, 10); err != nil || len(marks) != 1 {
		t.Errorf("marks %v, %v", marks, err)
	}
	g.must(g.client.HSet(g.ctx, "stream:s1:enc.2", "avoid", "a=9999999999999").Err())
	if got := g.copyOn("enc.2", ""); got.Outcome != store.Full {
		t.Errorf("where it cools down: %+v", got)
	}
	g.must(g.client.HDel(g.ctx, "stream:s1:enc.2", "avoid").Err())
	two := g.copyOn("enc.2", "")
	if two.Host != "a" {
		t.Fatalf("it is placed: %+v", two)
	}
	g.up(two.Reservation, a)
	g.balanced("both are on a")
	g.copies(2, stream.ApartHost)
	b := g.host("b")
	m, err := g.s.Move(g.ctx, "s1", "enc.1", "b", 0)
	g.must(err)
	if got, err := g.s.Evict(g.ctx, m, false, []string{stream.Class{}.ID()}); err != nil || got != store.Asked {
		t.Fatalf("the other is asked to leave: %v, %v", got, err)
	}
	g.release(one, a)
	one = g.copyOn("enc.1", "b").Reservation
	g.up(one, b)
	if v := g.ofEnc(); v[1].Anyway != "a" {
		t.Errorf("before anybody looked: %+v", v[1])
	}
	if marks, err := g.s.Dirty(g.ctx, 10); err != nil || len(marks) != 0 {
		t.Errorf("marks %v, %v", marks, err)
	}
	_, err = g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	if marks, err := g.s.Dirty(g.ctx, 10); err != nil || len(marks) != 1 {
		t.Errorf("the round over all records marks %v, %v", marks, err)
	}
	g.copies(2, stream.ApartHost)
	if v := g.ofEnc(); v[1].Anyway != "" {
		t.Errorf("once they are apart: %+v", v[1])
	}
}
