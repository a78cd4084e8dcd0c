package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// jobChain are the items of a stream of which each end of enc is followed by an upload.
const jobItems = `{"upload":{"of":"enc","type":"enc"}}`

// withJobs wants a stream with the chain enc, of which each end has an upload after it.
func (g *stage) withJobs(key string) {
	g.t.Helper()
	g.want(key)
	g.must(g.client.HSet(g.ctx, "stream:"+key, "items", jobItems, "title", "t", "source:url", "u").Err())
}

// ran has an instance placed, and its child run.
func (g *stage) ran(key string, h store.Holder) store.Reservation {
	g.t.Helper()
	v := g.given(key, h.Host)
	g.runs(v, h)
	_, err := g.s.Publish(g.ctx, v, h.Incarnation, map[string]string{"dir": "/rec"})
	g.must(err)
	g.must(g.s.Report(g.ctx, v, h.Incarnation, store.Observation{Fields: map[string]string{"ran": "1", "phase": "", "up": "1"}}))
	return v
}

// jobs are the names of a stream's jobs, by their records.
func (g *stage) jobs(key string) []string {
	g.t.Helper()
	keys, err := g.client.Keys(g.ctx, "stream:"+key+":*~*").Result()
	g.must(err)
	slices.Sort(keys)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], "stream:"+key+":")
	}
	return keys
}

// oneJob is the only job of a stream.
func (g *stage) oneJob(key string) string {
	g.t.Helper()
	all := g.jobs(key)
	if len(all) != 1 {
		g.t.Fatalf("%s has the jobs %v, want one", key, all)
	}
	return all[0]
}

func TestAnEndIsFollowedByOneJob(t *testing.T) {
	t.Parallel()
	ends := map[string]func(g *stage, a store.Holder, v store.Reservation){
		"given back":           func(g *stage, a store.Holder, v store.Reservation) { g.release(v, a) },
		"given back, unwanted": func(g *stage, a store.Holder, v store.Reservation) { g.end("s1"); g.release(v, a) },
		"given up, to nowhere": func(g *stage, a store.Holder, v store.Reservation) {
			got, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), OnlyIfRoom: true})
			g.must(err)
			if got != store.Stays {
				g.t.Errorf("released: %v", got)
			}
		},
		"reaped": func(g *stage, _ store.Holder, _ store.Reservation) { g.pass(12*time.Second, g.host("b")) },
		"reaped, and given back late": func(g *stage, a store.Holder, v store.Reservation) {
			g.pass(12*time.Second, g.host("b"))
			g.release(v, a)
		},
		"the store does not know that it ran": func(g *stage, a store.Holder, v store.Reservation) {
			g.must(g.client.HDel(g.ctx, "stream:s1:enc.1", "ran").Err())
			_, err := g.s.Release(g.ctx, v, a.Incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), Ran: true})
			g.must(err)
		},
		"another holds it": func(g *stage, _ store.Holder, v store.Reservation) {
			b := g.host("b")
			later := v
			later.Host, later.Token = "b", "9"+v.Token[1:]
			got, err := g.s.Assert(g.ctx, later, b.Incarnation, store.Copy{Chain: []string{"enc"}, Number: 1})
			g.must(err)
			if !got.Keep {
				g.t.Errorf("the later token does not win: %+v", got)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t).open()
			a := g.host("a")
			g.withJobs("s1")
			v := g.ran("s1", a)
			end(g, a, v)
			job := g.oneJob("s1")
			row := g.client.HGetAll(g.ctx, "stream:s1:"+job).Val()
			for field, want := range map[string]string{
				"state": "pending", "type": "enc", "job": "upload", "of": "enc.1", "oftoken": v.Token, "only": "a", "host": "",
				"of:host": "a", "of:dir": "/rec", "stream:title": "t", "source:url": "u",
			} {
				if row[field] != want {
					t.Errorf("%s is %q, want %q", field, row[field], want)
				}
			}
			if row["of:reason"] == "" || row["of:ended"] < row["of:began"] || row["of:began"] == "" {
				t.Errorf("its end reads %q, from %q to %q", row["of:reason"], row["of:began"], row["of:ended"])
			}
			if score := g.client.ZScore(g.ctx, "pending:enc", "s1|"+job).Val(); score < 9e15 {
				t.Errorf("it stands in line at %.0f, before some slot", score)
			}
			if n := g.client.Exists(g.ctx, "stream:s1:upload").Val(); n != 0 {
				t.Error("a job has a slot's record")
			}
		})
	}
}

func TestWhatNeverRanIsFollowedByNothing(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.withJobs("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.release(v, a)
	if all := g.jobs("s1"); len(all) > 0 {
		t.Errorf("the jobs %v come after what never ran", all)
	}
	if left := g.client.HGet(g.ctx, "stream:s1:enc.1", "ran").Val(); left != "" {
		t.Errorf("ran is %q", left)
	}
}

// TestAStreamKeepsItsRecordWhileItHasAJob: and want, a mark and the mender leave that alone.
func TestAStreamKeepsItsRecordWhileItHasAJob(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.withJobs("s1")
	v := g.ran("s1", a)
	g.end("s1")
	g.dies(v)
	g.release(v, a)
	job := g.oneJob("s1")
	before := g.client.HGetAll(g.ctx, "stream:s1:"+job).Val()
	for range 2 {
		g.must(g.s.MarkDirty(g.ctx, "s1"))
		wantMarked(g.t, g.s, "s1", false)
		_, err := g.s.Mender().All(g.ctx, 10*time.Second)
		g.must(err)
	}
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if !r.Gone || len(r.Slots)+len(r.Instances) != 0 || !slices.Equal(r.Jobs, []string{job}) {
		t.Errorf("the record is %+v", r)
	}
	if list, err := g.s.StatusOf(g.ctx, []string{"s1"}); err != nil || len(list) != 0 {
		t.Errorf("a stream that is gone and only has a job shows as %+v, %v", list, err)
	}
	after := g.client.HGetAll(g.ctx, "stream:s1:"+job).Val()
	if len(before) != len(after) || before["score"] != after["score"] || after["state"] != "pending" {
		t.Errorf("the job is %v, was %v", after, before)
	}
	g.want("s1") // it comes back
	if all := g.jobs("s1"); !slices.Equal(all, []string{job}) {
		t.Errorf("after the stream came back it has the jobs %v", all)
	}
}

// TestWhatAHandTookOfAJobIsMadeAnew from its record.
func TestWhatAHandTookOfAJobIsMadeAnew(t *testing.T) {
	t.Parallel()
	g := newStage(t).open()
	a := g.host("a")
	g.withJobs("s1")
	v := g.ran("s1", a)
	g.release(v, a)
	job := g.oneJob("s1")
	score := g.client.ZScore(g.ctx, "pending:enc", "s1|"+job).Val()
	g.must(g.client.HDel(g.ctx, "stream:s1", "instance:"+job).Err())
	g.must(g.client.Del(g.ctx, "jobs").Err())
	g.must(g.client.ZRem(g.ctx, "pending:enc", "s1|"+job).Err())
	_, err := g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	if got := g.client.ZScore(g.ctx, "pending:enc", "s1|"+job).Val(); got != score {
		t.Errorf("it is in line at %.0f, was at %.0f", got, score)
	}
	if known := g.client.HGet(g.ctx, "stream:s1", "instance:"+job).Val(); known != "enc" {
		t.Errorf("its stream knows it as %q", known)
	}
	if n := g.client.ZCard(g.ctx, "jobs").Val(); n != 1 {
		t.Errorf("%d jobs are listed", n)
	}
	g.must(g.client.Del(g.ctx, "stream:s1:"+job).Err())
	_, err = g.s.Mender().All(g.ctx, 10*time.Second)
	g.must(err)
	if g.client.HExists(g.ctx, "stream:s1", "instance:"+job).Val() || g.client.ZCard(g.ctx, "jobs").Val() != 0 {
		t.Error("a job whose record a hand took is known still")
	}
}

// TestATokenThatIsTakenBackUnmakesWhatCameAfterIt, but for what has begun; its end makes it again.
func TestATokenThatIsTakenBackUnmakesWhatCameAfterIt(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		g := newStage(t).open()
		a, b := g.host("a"), g.host("b")
		g.withJobs("s1")
		v := g.ran("s1", a)
		g.pass(12*time.Second, b)
		job := g.oneJob("s1")
		if begun {
			g.must(g.client.HSet(g.ctx, "stream:s1:"+job, "ran", "1").Err())
		}
		again := store.Holder{Host: "a", Incarnation: "a-2"}
		g.must(g.register(again, "id-a", "a-1"))
		got, err := g.s.Assert(g.ctx, v, again.Incarnation, store.Copy{Chain: []string{"enc"}, Number: 1, Ran: true})
		g.must(err)
		if !got.Keep {
			t.Fatalf("the host does not get it back: %+v", got)
		}
		if all := g.jobs("s1"); (len(all) == 1) != begun {
			t.Errorf("begun %v: after the token was taken back there are %v", begun, all)
		}
		g.dies(v)
		g.release(v, again)
		if all := g.jobs("s1"); !slices.Equal(all, []string{job}) {
			t.Errorf("begun %v: after its end there are %v, want %s", begun, all, job)
		}
	}
}
