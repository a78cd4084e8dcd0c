package store_test

import (
	"fmt"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// parted is what a look at s1 says is to move away.
func (g *stage) parted(n int, apart string) []store.Parting {
	g.t.Helper()
	return g.copies(n, apart).Parts
}

// Copies that share a host without anybody's word, here as their chain said later that they may not, are parted:
// one at a time, who leads last, not in a hold, and only once it is begun.
func TestCopiesThatAreTogetherArePartedOneByOne(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.copies(2, "")
	one, two := g.copyOn("enc.1", "a").Reservation, g.copyOn("enc.2", "a").Reservation
	g.up(two, a) // leads
	g.up(one, a)
	parts := g.parted(2, stream.ApartHost)
	if len(parts) != 1 || parts[0].Reservation != one || parts[0].With != "enc.2" {
		t.Fatalf("to move away: %+v; want enc.1, as enc.2 leads", parts)
	}
	if n, err := g.client.ZScore(g.ctx, "requeue", "s1").Result(); err != nil || n == 0 {
		t.Errorf("it is looked at again at %v, %v", n, err)
	}
	classes := []string{stream.Class{}.ID()}
	m := store.Move{Reservation: one, Target: "*"}
	if got, err := g.s.MayEvict(g.ctx, m, classes); err != nil || got != store.Stay {
		t.Errorf("without another host: %v, %v", got, err)
	}
	b := g.host("b")
	if got, err := g.s.MayEvict(g.ctx, m, classes); err != nil || got != store.Asked || g.ofEnc()[0].Move != "" {
		t.Errorf("with room on b: %v, %v, move %q; want a look and no more", got, err, g.ofEnc()[0].Move)
	}
	if _, err := g.s.Part(g.ctx, parts[0], time.Minute); err != nil {
		t.Fatal(err)
	}
	if again := g.parted(2, stream.ApartHost); len(again) != 0 {
		t.Errorf("while it is being moved: %+v", again)
	}
	events, err := g.s.LastEvents(g.ctx, 1)
	g.must(err)
	if events[0].Event != "move-asked" || events[0].Code != stream.CodeParts || events[0].Facts["with"] != "enc.2" {
		t.Errorf("told is %+v", events[0])
	}
	if got, err := g.s.Evict(g.ctx, m, false, classes); err != nil || got != store.Asked {
		t.Fatalf("asked to leave: %v, %v", got, err)
	}
	g.release(one, a)
	g.up(g.copyOn("enc.1", "b").Reservation, b)
	if again := g.parted(2, stream.ApartHost); len(again) != 0 {
		t.Errorf("apart: %+v", again)
	}
}

// By the word of an operator they stay, and in a hold nothing is begun.
func TestCopiesThatAreTogetherStayByAWordAndInAHold(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.copies(2, "")
	for _, name := range []string{"enc.1", "enc.2"} {
		g.up(g.copyOn(name, "a").Reservation, a)
	}
	g.must(g.client.HSet(g.ctx, "reaper", "until", g.c.us/1000+8000, "reason", "empty").Err())
	if parts := g.parted(2, stream.ApartHost); len(parts) != 0 {
		t.Errorf("in a hold: %+v", parts)
	}
	g.pass(9*time.Second, a)
	if parts := g.parted(2, stream.ApartHost); len(parts) != 1 {
		t.Fatalf("after it: %+v", parts)
	}
	if _, moving, err := g.s.MoveAnyway(g.ctx, "s1", "enc.1", "a", 0); err != nil || moving {
		t.Fatalf("the word on what is there: %v, %v", moving, err)
	}
	if parts := g.parted(2, stream.ApartHost); len(parts) != 0 {
		t.Errorf("by a word: %+v", parts)
	}
	if with, by := g.togetherOf("enc.2"); len(with) != 1 || by != "test" {
		t.Errorf("shown is %v by %q", with, by)
	}
}

// Copies apart by a label are parted when a host's file says another site of it.
func TestCopiesOfOneSiteAreParted(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	on := g.sites()
	g.copies(2, "site")
	one, two := g.anywhere("enc.1", "b").Reservation, g.anywhere("enc.2", "c").Reservation
	g.up(one, on["b"])
	g.up(two, on["c"])
	if parts := g.parted(2, "site"); len(parts) != 0 {
		t.Fatalf("of two sites: %+v", parts)
	}
	g.must(g.client.HSet(g.ctx, "host:c", "labels", `{"gpu":"vaapi","site":"alb"}`).Err())
	if parts := g.parted(2, "site"); len(parts) != 1 || parts[0].Instance != "enc.2" || parts[0].With != "enc.1" {
		t.Errorf("of one site: %+v", parts)
	}
}

// together has two copies run on a, where they may be until their chain says that they are apart.
func together(g *stage) {
	g.t.Helper()
	g.open()
	a := g.host("a")
	g.host("b")
	g.copies(2, "")
	for _, name := range []string{"enc.1", "enc.2"} {
		g.up(g.copyOn(name, "a").Reservation, a)
	}
}

func cameTogether(g *stage) error {
	together(g)
	parts := g.parted(2, stream.ApartHost)
	if len(parts) != 1 {
		return fmt.Errorf("I8: two copies on a stay there: %+v", parts)
	}
	_, err := g.s.Part(g.ctx, parts[0], 0)
	return err
}

func broughtTogether(g *stage) error {
	together(g)
	g.parted(2, stream.ApartHost)
	_, _, err := g.s.MoveAnyway(g.ctx, "s1", "enc.2", "a", 0)
	g.must(err)
	if parts := g.parted(2, stream.ApartHost); len(parts) != 0 {
		return fmt.Errorf("an operator had them together, and away goes %+v", parts)
	}
	return nil
}
