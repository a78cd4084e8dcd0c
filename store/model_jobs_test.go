package store_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// jobOps is how many steps a model of jobs takes: some dozens of ends.
const jobOps = 2500

// modelJobs is what comes after ends in a world with jobs: bound to the host, and free, with
// another after it.
var modelJobs = map[string]stream.Announcement{
	"s1/j": {Chain: []string{"enc"}, Items: stream.Items{"up": {Of: "enc", Type: "rec"}}},
	"s3/j": {Chain: []string{"rec"}, Items: stream.Items{"up": {Of: "rec", Type: "enc", Host: stream.Selector{Name: stream.AnyHost}}, "next": {Of: "up", Type: "rec"}}},
}

// withJobs lets ends have jobs after them, in a world of few streams.
func withJobs(w *world) error {
	w.jobs = true
	w.plan = maps.Clone(modelJobs)
	off := map[string]bool{"copies": true, "sidecar": true, "pools": true, "hand": true, "scheduler": true} // of other models
	maps.Copy(off, w.faults)
	w.faults = off
	for key := range modelJobs {
		w.live[key] = true
	}
	for _, m := range w.machines {
		m.done = map[string]*supervisor{}
	}
	return nil
}

// TestModelMakesOneJobOfEachEnd: J1, each token whose child ran and ended has its job, made
// once, as far as the store or a host that came back knows of it; J2, what a host knows to
// be done it does not run again; live first; and all else that holds without jobs.
func TestModelMakesOneJobOfEachEnd(t *testing.T) {
	t.Parallel()
	m := modelRun{seed: 1, ops: jobOps, alter: withJobs}
	if *modelSeed != 0 {
		m.seed, m.ops = *modelSeed, *modelOps
	}
	w := m.run(t)
	if w.err != nil {
		m.reduce(t, w)
		return
	}
	for _, name := range []string{"a job is done", "an end is told again"} {
		if w.seen[name] == 0 {
			t.Errorf("it never came to this: %s", name)
		}
		t.Logf("%6d %s", w.seen[name], name)
	}
}

func isJob(instance string) bool { return strings.Contains(instance, "~") }

// jobAfter is the name of the job after a token, reckoned without the scripts.
func jobAfter(job, token string) string {
	sum := sha1.Sum([]byte(job + "|" + token + "|"))
	return job + "~" + hex.EncodeToString(sum[:])[:16]
}

// works has the child of a job be done after a while.
func (s *supervisor) works(w *world) { s.doneAt = w.now + w.rng.Int64N(5*second) }

// finish writes down what is done: state directories outlive runners.
func (m *machine) finish(s *supervisor) {
	if s.doneAt == 0 || s.doneAt > m.w.now || s.ending > 0 {
		return
	}
	s.alive, s.done = false, true
	m.done[s.Key+"|"+s.Instance] = s
	m.w.seen["a job is done"]++
	if m.runner != nil {
		m.runner.again(0)
	}
}

// donesFirst gives back what is done, or says so where the store has it run again. It tells whether
// there was anything to say.
func (r *runner) donesFirst(a *actor, v store.Reservation) bool {
	s := r.m.done[v.Key+"|"+v.Instance]
	switch {
	case s == nil:
		return false
	case s.Token != v.Token:
		r.tell(a, s)
		fallthrough
	default:
		_, err := ask(a, "release "+v.Key+"/"+v.Instance+" "+v.Token, func(ctx context.Context) (store.Released, error) {
			return a.w.store.Release(ctx, v, r.inc, store.Release{Done: &store.Done{Began: time.UnixMilli(1), Ended: time.UnixMilli(2)}})
		})
		if err != nil && !errors.Is(err, store.ErrStale) {
			r.again(500 * ms)
		}
	}
	return true
}

// tell tells one end.
func (r *runner) tell(a *actor, s *supervisor) {
	w := a.w
	end := store.End{Reservation: s.Reservation, Reason: stream.Because(stream.CodeEnded), Began: time.UnixMilli(1), Ended: time.UnixMilli(2), Copy: r.copyOf(s)}
	if s.done {
		end.Done = &store.Done{Began: end.Began, Ended: end.Ended}
	}
	_, err := ask(a, "ended "+s.Key+"/"+s.Instance+" "+s.Token, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.store.TellEnded(ctx, r.m.name, r.inc, end)
	})
	if err != nil {
		r.again(second)
	}
	w.seen["an end is told again"]++
}

// tellEnds tells what the store knows nothing of: that a job is done before that there was one.
func (r *runner) tellEnds(a *actor, listed map[string]bool) {
	w := a.w
	if w.flaws.mute {
		return
	}
	var dones, ends []*supervisor
	for _, token := range slices.Sorted(maps.Keys(r.m.sups)) {
		s := r.m.sups[token]
		if s.alive || listed[token] || len(modelJobs[s.Key].Items) == 0 {
			continue
		}
		if !isJob(s.Instance) {
			ends = append(ends, s)
		} else if s.done {
			dones = append(dones, s)
		}
	}
	for _, s := range append(dones, ends...) {
		at, member := "jobs:made", jobAfter("up", s.Token)
		_, member, _ = strings.Cut(member, "~")
		if s.done {
			at, member = "jobs:done", s.Key+"|"+s.Instance
		}
		known, err := ask(a, "unmade", func(ctx context.Context) (bool, error) {
			err := w.client.ZScore(ctx, at, member).Err()
			if errors.Is(err, redis.Nil) {
				return false, nil
			}
			return true, err
		})
		if err != nil {
			r.again(second)
			return
		}
		if !known {
			r.m.tombs[s.Token] = true
			r.tell(a, s)
		}
	}
}

// copyOf is what a host keeps of an instance.
func (r *runner) copyOf(s *supervisor) store.Copy {
	ann := r.m.w.plan[s.Key]
	if isJob(s.Instance) {
		return store.Copy{Items: ann.Items, Fields: s.fields, Ran: true}
	}
	c := store.Copy{
		Source: "src", Announcement: ann.Encode(), Chain: ann.Chain, Items: ann.Items, Priority: ann.Priority,
		Fields: map[string]string{"source:url": "u"}, Vars: map[string]string{"by": s.Token}, Ran: r.m.w.jobs,
	}
	return c
}

// placeJobs asks for places for jobs. Before each it is known whether a slot waits.
func (s *scheduler) placeJobs(a *actor) {
	w := a.w
	for _, t := range slotTypes {
		waiting, err := ask(a, "pending jobs "+t, func(ctx context.Context) ([]store.Waiting, error) { return w.store.PendingJobs(ctx, t, 0, 30) })
		if err != nil {
			return
		}
		for _, v := range waiting {
			_, err := ask(a, "place", func(ctx context.Context) (store.Placement, error) {
				live, err := w.client.ZCount(ctx, "pending:"+t, "-inf", "(9e15").Result()
				if err != nil {
					return store.Placement{}, err
				}
				got, err := w.store.Place(ctx, []store.Request{{Key: v.Key, Instance: v.Instance, Type: t, Candidates: candidatesFor(v.Key)}})
				if err != nil {
					return store.Placement{}, err
				}
				if got[0].Outcome == store.Placed {
					w.issued(got[0].Reservation)
					if live > 0 {
						w.broken("live first: %s/%s took room of %s beside %d slots that wait", v.Key, v.Instance, t, live)
					}
				}
				return got[0], nil
			})
			if err != nil {
				return
			}
		}
	}
}

// checkJobs checks J1 at rest, and that no job runs without a child.
func (w *world) checkJobs(p picture, children map[string]string) error {
	ran := map[string]bool{}
	for _, m := range w.machines {
		for token, s := range m.sups {
			ran[token] = true
			if s.alive || m.runner == nil || isJob(s.Instance) {
				continue
			}
			for job, item := range w.plan[s.Key].Items {
				if item.Of != stream.SlotOf(s.Instance) {
					continue
				}
				name := jobAfter(job, token)
				record, result := p["stream:"+s.Key+":"+name], p["job:"+s.Key+":"+name]
				listed := false
				for row, of := range p["stream:"+s.Key+":"+s.Instance] {
					listed = listed || row == "token" && of == token
				}
				if record == nil && result == nil && !listed {
					return fmt.Errorf("J1: %s/%s ran on %s under %s and ended, and %s is not there", s.Key, s.Instance, m.name, token, name)
				}
			}
		}
	}
	for at, row := range p {
		key, instance, ok := strings.Cut(strings.TrimPrefix(at, "stream:"), ":")
		if !strings.HasPrefix(at, "stream:") || !ok || !isJob(instance) {
			continue
		}
		if p["job:"+key+":"+instance] != nil {
			return fmt.Errorf("J2: %s/%s is done and %s again", key, instance, row["state"])
		}
		if row["oftoken"] == "" {
			return fmt.Errorf("J1: %s/%s does not know what it comes after", key, instance)
		}
		if !isJob(row["of"]) && !ran[row["oftoken"]] {
			return fmt.Errorf("J1: %s/%s comes after %s, which never ran", key, instance, row["oftoken"])
		}
		if p["stream:"+key]["instance:"+instance] == "" {
			return fmt.Errorf("J1: the stream of %s/%s does not know it", key, instance)
		}
		if row["state"] == "running" {
			child := key + "|" + instance + " " + row["host"] + " " + row["token"]
			if children[child] == "" {
				return fmt.Errorf("L1: %s/%s is running on %s and no child lives there", key, instance, row["host"])
			}
			delete(children, child)
		}
	}
	return nil
}
