package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// place makes a pass over each queue, some slots at a time, as the scheduler does: what
// one was refused none behind it gets. Now and then one waits for the place of another
// that it is to be near to.
func (s *scheduler) place(a *actor) {
	w := a.w
	for _, t := range slotTypes {
		waiting, err := ask(a, "pending "+t, func(ctx context.Context) ([]store.Waiting, error) { return w.store.Pending(ctx, t, 0, 14) })
		if err != nil {
			continue
		}
		line := &line{w: w, order: map[string]int{}, heard: map[string]bool{}}
		for some := range slices.Chunk(waiting, 2) {
			requests := line.requests(some, s.targets)
			if len(requests) == 0 {
				continue
			}
			_, err := ask(a, "place", func(ctx context.Context) ([]store.Placement, error) {
				got, err := w.store.Place(ctx, requests)
				if err == nil {
					err = line.hear(ctx, requests, got)
				}
				return got, err
			})
			if err != nil {
				break
			}
		}
	}
}

// line is what one pass knows, and what it is held to.
type line struct {
	w       *world
	known   placement.Known
	refused []store.Request
	passed  [][]store.Passed // of each refused
	order   map[string]int   // of slots, by key and instance
	heard   map[string]bool  // by the first slot of a batch
}

func (l *line) requests(waiting []store.Waiting, targets map[string]string) (out []store.Request) {
	for _, v := range waiting {
		l.order[v.Key+"|"+v.Instance] = len(l.order)
		i := placement.Instance{Key: v.Key, Instance: v.Instance, Type: v.Type}
		i.With = l.w.plan[v.Key].Items[stream.SlotOf(v.Instance)].With
		if target := targets[v.Key+"|"+v.Instance]; target != "*" {
			i.Pin = target
		}
		var candidates []placement.Candidate
		for _, c := range candidatesFor(v.Key) {
			candidates = append(candidates, placement.Candidate(c))
		}
		if !l.w.calm && l.w.rng.IntN(12) == 0 {
			if !l.w.lets {
				l.known.Reserve(i, candidates)
			}
			l.keep(l.ask(v, on(i.Pin, candidates)), nil)
			l.w.seen["a slot waits for the place of another"]++
			continue
		}
		for _, some := range placement.Plan(i, candidates, &l.known, store.MaxClasses) {
			out = append(out, l.ask(v, some))
		}
	}
	return out
}

func on(host string, candidates []placement.Candidate) []placement.Candidate {
	out := slices.Clone(candidates)
	for i := range out {
		out[i].Host = host
	}
	return out
}

func (l *line) ask(v store.Waiting, candidates []placement.Candidate) store.Request {
	r := store.Request{Key: v.Key, Instance: v.Instance, Type: v.Type, Closed: l.known.Closed()}
	for _, c := range candidates {
		r.Candidates = append(r.Candidates, store.Candidate(c))
	}
	return r
}

func (l *line) keep(r store.Request, passed []store.Passed) {
	l.refused, l.passed = append(l.refused, r), append(l.passed, passed)
}

// hear learns from the answers, and checks that none got what one before it was refused.
func (l *line) hear(ctx context.Context, requests []store.Request, answers []store.Placement) error {
	done := map[string]bool{} // its later requests are of no account
	again := l.heard[requests[0].Key+"|"+requests[0].Instance]
	l.heard[requests[0].Key+"|"+requests[0].Instance] = true
	for i, v := range answers {
		if again { // a request that came twice: the second is no part of this pass
			if v.Outcome == store.Placed {
				l.w.issued(v.Reservation)
			}
			continue
		}
		at := v.Key + "|" + v.Instance
		switch v.Outcome {
		case store.Placed:
			l.w.issued(v.Reservation)
			class, err := l.w.client.HGet(ctx, "service:"+v.Type+":"+v.Host, "class").Result()
			if err != nil {
				return err
			}
			if with, err := l.w.client.HExists(ctx, "stream:"+v.Key+":"+v.Instance, "with").Result(); err != nil || with {
				continue // it took no seat
			}
			l.check(v, class)
		case store.Full:
			if done[at] {
				continue
			}
			var refused, passed []placement.Candidate
			for _, c := range requests[i].Candidates {
				refused = append(refused, placement.Candidate(c))
			}
			for _, p := range v.Passed {
				passed = append(passed, placement.Candidate{Class: p.Class, Host: p.Host})
				l.w.seen["a host is passed over for the slot's own sake"]++
			}
			l.known.Learn(refused, passed)
			l.keep(requests[i], v.Passed)
			continue
		}
		done[at] = true
	}
	return nil
}

func (l *line) check(v store.Placement, class string) {
	for i, r := range l.refused {
		before := l.order[r.Key+"|"+r.Instance] < l.order[v.Key+"|"+v.Instance]
		asked := slices.ContainsFunc(r.Candidates, func(c store.Candidate) bool { return c.Class == class && (c.Host == "" || c.Host == v.Host) })
		passed := slices.ContainsFunc(l.passed[i], func(p store.Passed) bool { return p.Class == class && (p.Host == v.Host || p.Host == placement.All) })
		if asked && !passed && before {
			l.w.broken("the line: place gave %s/%s %s, which %s/%s before it was refused", v.Key, v.Instance, v.Host, r.Key, r.Instance)
		}
	}
}

// TestModelFindsWhoIsOvertaken shows that the random model sees a slot get what one
// before it waits for to be near to another; and copies at one site.
func TestModelFindsWhoIsOvertaken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		alter func(*world) error
		want  string
		from  uint64 // the first seed; what finds nothing takes the most time
	}{
		"near does not close": {func(w *world) error { w.lets = true; return nil }, "the line: ", 1},
		"apart by host alone": {func(w *world) error {
			return store.Alter(w.store, "place", "if values and not beside_others and values[label(host, s[6]) or 0] then", "if false then")
		}, "I8: ", 7},
		"apart without other copies": {func(w *world) error {
			return store.Alter(w.store, "place", "if s[6] and not s[5] then", "if false then")
		}, "I8: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := 0
			for seed := range uint64(8) {
				w := modelRun{seed: tt.from + seed, ops: epoch, alter: tt.alter}.run(t)
				if w.err != nil && strings.Contains(w.err.Error(), tt.want) {
					t.Logf("found in %d steps: %v", steps+w.ops, w.err)
					return
				}
				if w.err != nil {
					t.Fatal(w.err)
				}
				steps += w.ops
			}
			t.Fatalf("nothing was found in %d steps", steps)
		})
	}
}

// site is where hosts say that they are; empty: they do not.
func (p picture) site(host string) string {
	labels, err := stream.ParseLabels(p["host:"+host]["labels"])
	if err != nil {
		return ""
	}
	return labels[stream.LabelSite]
}
