package store_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// shownService is that of a host as it is read.
func (g *stage) shownService(host string) store.ServiceRecord {
	g.t.Helper()
	hosts, err := g.s.HostsNamed(g.ctx, []string{host})
	g.must(err)
	return hosts[0].Services[0]
}

// keptOut counts the services of the hosts that take nothing for their check.
func (g *stage) keptOut(hosts []store.Holder) (kept, ignored int) {
	g.t.Helper()
	for _, h := range hosts {
		switch v := g.shownService(h.Host); v.Check.Code {
		case stream.CodeCheckFails:
			if v.State != stream.Cordoned && v.State != stream.Down {
				g.t.Errorf("%s is kept out and %s", h.Host, v.State)
			}
			kept++
		case stream.CodeCheckIgnored:
			if v.State != stream.Up {
				g.t.Errorf("%s is not heeded and %s", h.Host, v.State)
			}
			ignored++
		}
	}
	return kept, ignored
}

// At most half of the services of a type that are up are kept out, rounded down: of
// one, none. Which they are is those that fail longest, and who is mended makes room
// for another.
func TestAFailingCheckKeepsOutHalfAtMost(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 5; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			var hosts []store.Holder
			for i := range n {
				h := g.host(fmt.Sprintf("h%d", i))
				hosts = append(hosts, h)
			}
			for i, h := range hosts {
				want, most := store.HeedKept, n/2
				if i >= most {
					want = store.HeedIgnored
				}
				for range 2 { // twice is once
					if got, err := g.s.CheckService(g.ctx, h, "enc", "502"); err != nil || got != want {
						t.Errorf("%d of %d: %s, %v; want %s", i+1, n, got, err, want)
					}
				}
				if kept, ignored := g.keptOut(hosts); kept != min(i+1, most) || kept+ignored != i+1 {
					t.Errorf("%d of %d fail: %d kept out, %d not heeded", i+1, n, kept, ignored)
				}
			}
			for i, h := range hosts {
				if got, err := g.s.CheckService(g.ctx, h, "enc", ""); err != nil || got != store.HeedWell {
					t.Errorf("mended: %s, %v", got, err)
				}
				left := n - i - 1
				if kept, ignored := g.keptOut(hosts); kept != min(left, n/2) || kept+ignored != left {
					t.Errorf("%d of %d fail still: %d kept out, %d not heeded", left, n, kept, ignored)
				}
			}
		})
	}
}

// A service that is kept out takes nothing new and keeps what it has.
func TestWhoFailsItsCheckTakesNothingNew(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.host("b")
	for i := range 4 {
		g.want(fmt.Sprintf("s%d", i))
	}
	if p := g.place("s0"); p.Outcome != store.Placed || p.Host != "a" {
		t.Fatalf("%+v", p)
	}
	if _, err := g.s.CheckService(g.ctx, a, "enc", "502 from http://127.0.0.1/"); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 3; i++ {
		if p := g.place(fmt.Sprintf("s%d", i)); p.Outcome != store.Placed || p.Host != "b" {
			t.Errorf("s%d: %+v", i, p)
		}
	}
	if s := g.instance("s0"); s.Host != "a" {
		t.Errorf("what it held is gone: %+v", s)
	}
	if _, err := g.s.Reindex(g.ctx, "a", nil); err != nil {
		t.Fatal(err)
	}
	if v := g.shownService("a"); v.State != stream.Cordoned {
		t.Errorf("after a re-index: %+v", v)
	}
	if _, err := g.s.CheckService(g.ctx, a, "enc", ""); err != nil {
		t.Fatal(err)
	}
	if p := g.place("s3"); p.Outcome != store.Placed || p.Host != "a" {
		t.Errorf("after it is well: %+v", p)
	}
}

// Half of fewer is fewer: a cordon, a death and a leave make others heeded no more.
func TestHalfIsOfThoseThatAreUp(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"cordon", "leave", "reap"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			var hosts []store.Holder
			for i := range 4 {
				h := g.host(fmt.Sprintf("h%d", i))
				hosts = append(hosts, h)
			}
			for _, h := range hosts[:2] {
				if got, err := g.s.CheckService(g.ctx, h, "enc", "x"); err != nil || got != store.HeedKept {
					t.Fatalf("%s, %v", got, err)
				}
			}
			switch end {
			case "cordon":
				g.must(g.s.Cordon(g.ctx, "h3", stream.Cordoned))
			case "leave":
				_, err := g.s.Leave(g.ctx, hosts[3])
				g.must(err)
			case "reap":
				g.pass(12*time.Second, hosts[:3]...)
			}
			if kept, ignored := g.keptOut(hosts[:3]); kept != 1 || ignored != 1 {
				t.Errorf("of three that are up %d are kept out, %d not heeded", kept, ignored)
			}
			if end == "cordon" {
				g.must(g.s.Cordon(g.ctx, "h3", stream.Up))
				if kept, _ := g.keptOut(hosts); kept != 2 {
					t.Errorf("%d are kept out of four again", kept)
				}
			}
		})
	}
}

func TestAnotherLifeSaysNothingOfAService(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	other := a
	other.Incarnation += "x"
	for _, h := range []store.Holder{other, {Host: "nobody", Incarnation: "x"}} {
		if _, err := g.s.CheckService(g.ctx, h, "enc", "x"); !errors.Is(err, store.ErrStale) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	if _, err := g.s.CheckService(g.ctx, a, "none", "x"); !errors.Is(err, store.ErrStale) {
		t.Errorf("a service that is not offered: %v", err)
	}
}
