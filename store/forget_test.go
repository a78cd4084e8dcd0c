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

// refusal forgets the host and gives the reason why that is refused.
func (g *stage) refusal(host string) *store.InUseError {
	g.t.Helper()
	var used *store.InUseError
	if err := g.s.ForgetGone(g.ctx, host); !errors.As(err, &used) {
		g.t.Fatalf("host %s is forgotten: %v", host, err)
	}
	return used
}

// traces lists where a host is still named, but for the events.
func (g *stage) traces(host string) []string {
	g.t.Helper()
	var out []string
	for _, key := range g.client.Keys(g.ctx, "*").Val() {
		switch g.client.Type(g.ctx, key).Val() {
		case "set":
			if g.client.SIsMember(g.ctx, key, host).Val() {
				out = append(out, key)
			}
		case "zset":
			if g.client.ZScore(g.ctx, key, host).Err() == nil {
				out = append(out, key)
			}
		case "hash":
			for _, field := range g.client.HKeys(g.ctx, key).Val() {
				if slices.Contains(strings.Split(field, ":"), host) {
					out = append(out, key)
				}
			}
		}
		if slices.Contains(strings.Split(key, ":"), host) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestAHostIsForgottenByAWordOnlyWhenItIsGone(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	if err := g.s.ForgetGone(g.ctx, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a host that never was: %v", err)
	}
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	if used := g.refusal("a"); used.Lease != 10*time.Second {
		t.Errorf("while it lives: %+v", used)
	}
	// It stands still, and nobody has taken its slot back.
	g.c.advance(11 * time.Second)
	if used := g.refusal("a"); used.Lease != 0 || used.Slots != 1 {
		t.Errorf("while it holds a slot: %+v", used)
	}
	g.memory = store.ReapMemory{}
	g.pass(40*time.Second, b)
	if g.instance("s1").State != stream.Pending {
		t.Fatalf("s1 is not given back: %+v", g.instance("s1"))
	}
	g.must(g.s.Drain(g.ctx, "a", 0, 1)) // a word that would keep it for ever
	g.must(g.client.HSet(g.ctx, "refused", "a", "{}").Err())
	g.must(g.client.HSet(g.ctx, "troubles", "a", "{}").Err())
	g.must(g.client.SAdd(g.ctx, "sources", "lab").Err())
	g.must(g.client.HSet(g.ctx, "differs:lab", "at:a", "1 2", "rules:a", "{}", "digest:a", "x", "what:a", "y", "refused:a", "", "at:b", "1 2").Err())
	if len(g.traces("a")) < 5 {
		t.Fatalf("traces are %v; then this test shows little", g.traces("a"))
	}
	g.must(g.s.ForgetGone(g.ctx, "a"))
	if left := g.traces("a"); len(left) > 0 {
		t.Errorf("left of the host: %v", left)
	}
	if err := g.s.ForgetGone(g.ctx, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the second time: %v", err)
	}
	g.given("s1", "b") // the other host is as it was
	g.balanced("hosts rm")
}

// A host whose lease a hand took away may live: it has a lease's time to say so.
func TestAHostWithoutALeaseIsNotForgottenAtOnce(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.host("b")
	g.must(g.client.ZRem(g.ctx, "hosts:lease", "a").Err())
	if used := g.refusal("a"); used.Lease != 10*time.Second {
		t.Errorf("it may live: %+v", used)
	}
	if _, err := g.s.Heartbeat(g.ctx, a); err != nil {
		t.Fatalf("it lives: %v", err)
	}
}

// What a hand made of a host that is gone keeps nothing of it.
func TestAHostOfWhichLittleIsLeftIsForgotten(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"host:a", "types", "hosts", "service:enc:a", "classes:enc"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			a := g.host("a")
			_, err := g.s.Leave(g.ctx, a)
			g.must(err)
			g.must(g.client.Del(g.ctx, lost).Err())
			g.must(g.s.ForgetGone(g.ctx, "a"))
			if left := g.traces("a"); len(left) > 0 {
				t.Errorf("left of the host: %v", left)
			}
		})
	}
}
