package chaos

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

func TestKilledRunnerThatComesBackAdoptsItsChildren(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 10})
	before, from := n.watch.Alive(), time.Now()
	n.workers[0].Kill()
	n.hold(time.Second)
	n.workers[0].Again()
	n.hold(ttl + 3*beat)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("kill -9 runner, back after 1 s", from)
}

// losing has a worker end in some way and its work come up elsewhere.
func losing(t *testing.T, what string, end func(*realrun.Host)) {
	var took []time.Duration
	for range or(1, 20) {
		t.Run("run", func(t *testing.T) {
			n := begin(t, plan{workers: 3, capacity: 15, streams: 30})
			lost := n.on("w0")
			if len(lost) == 0 {
				t.Fatal("w0 has nothing to lose")
			}
			from := time.Now()
			end(n.workers[0])
			n.awaitElsewhere("w0", lost, time.Minute)
			took = append(took, time.Since(from))
			n.noDoubles()
			n.record(what, from)
		})
	}
	lasted(what+" → all its slots run elsewhere", took...)
	slices.Sort(took)
	if len(took) > 0 && (took[len(took)/2] > ttl+time.Second+slack(t) || took[len(took)-1] > ttl+2*time.Second+slack(t)) {
		t.Errorf("all slots were elsewhere after %v; want a median of at most ttl + 1 s = %v, and 1 s more at most", took, ttl+time.Second)
	}
}

func TestKilledRunnersWorkComesUpElsewhere(t *testing.T) {
	t.Parallel()
	losing(t, "kill -9 runner, gone for good", (*realrun.Host).Kill)
}

func TestDeadMachinesWorkComesUpElsewhere(t *testing.T) {
	t.Parallel()
	losing(t, "machine dead", (*realrun.Host).KillMachine)
}

func TestFrozenRunnerNeverRunsTwiceAndServesAgain(t *testing.T) {
	t.Parallel()
	for range or(1, 10) {
		t.Run("run", func(t *testing.T) {
			n := begin(t, plan{workers: 2, capacity: 10, streams: 6})
			lost, from := n.on("w0"), time.Now()
			n.workers[0].Signal(syscall.SIGSTOP)
			n.awaitElsewhere("w0", lost, time.Minute)
			n.hold(or(5*time.Second, 60*time.Second-ttl))
			n.workers[0].Signal(syscall.SIGCONT)
			n.list(16)
			n.awaitLive(16, time.Minute)
			realtest.Await(t, time.Minute, "the host that was frozen serves again", func() bool { return len(n.on("w0")) > 0 })
			n.noDoubles()
			n.record("SIGSTOP runner, CONT later", from)
		})
	}
}

func TestShortFreezeMovesNothing(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 6})
	before, from := n.watch.Alive(), time.Now()
	n.workers[0].Signal(syscall.SIGSTOP)
	n.hold(2 * time.Second)
	n.workers[0].Signal(syscall.SIGCONT)
	n.hold(ttl + 2*beat)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("SIGSTOP runner 2 s", from)
}

func TestTermMovesEverythingAtOnce(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 20, streams: 20})
	lost, from := n.on("w0"), time.Now()
	n.workers[0].Signal(syscall.SIGTERM)
	n.awaitElsewhere("w0", lost, 30*time.Second)
	if code := n.workers[0].Wait(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after TERM", code)
	}
	for _, gap := range n.watch.Gaps(from, time.Now()) {
		if gap.Length() > 2*time.Second+slack(t) {
			t.Errorf("%v without a child; want at most 2 s", gap)
		}
	}
	n.noDoubles()
	n.record("TERM on a runner with 10 slots", from)
}

func TestReloadAndDetachStopNothing(t *testing.T) {
	t.Parallel()
	p := plan{workers: 1, capacity: 12, streams: 10}
	n := begin(t, p)
	before, from := n.watch.Alive(), time.Now()

	n.workers[0].Rewrite("nonsense: true\n")
	n.workers[0].Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the bad file is refused", func() bool { return logged(n.workers[0], "not taken up") })

	p.capacity = 15
	n.workers[0].Rewrite(n.workerFile(p))
	n.workers[0].Signal(syscall.SIGHUP)
	n.list(14)
	n.awaitLive(14, time.Minute) // more than the old file would take
	n.sameChildren(before)

	before = n.watch.Alive()
	n.workers[0].Signal(syscall.SIGUSR1)
	if code := n.workers[0].Wait(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after USR1", code)
	}
	n.workers[0].Again()
	n.hold(ttl + 2*beat)
	n.sameChildren(before)
	n.noGaps(from)
	n.noDoubles()
	n.record("HUP; USR1 and start", from)
}

func TestSecondRunnerOfOneNameIsRefused(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 1, capacity: 3, streams: 2})
	before := n.watch.Alive()
	twin := realrun.Start(t, "w0", n.redis.URL(), n.workerFile(plan{capacity: 3}))
	realtest.Await(t, time.Minute, "the twin is refused in words", func() bool { return logged(twin, "already run elsewhere") })
	n.sameChildren(before)
	n.noDoubles()
}

func TestSchedulersMayDieMidBurst(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 40, streams: 2})
	var others []*realrun.Host
	for i := range 2 {
		others = append(others, realrun.Start(t, fmt.Sprintf("sched%d", i), n.redis.URL(), lease("keep")))
	}
	realtest.Await(t, time.Minute, "three schedulers are at work", func() bool {
		return n.redis.Client().ZCard(t.Context(), "seats").Val() == 3
	})
	n.list(60)
	realtest.Await(t, time.Minute, "the burst has begun", func() bool { return len(n.watch.Alive()) > 5 })
	others[0].Kill()
	n.awaitLive(60, 60*time.Second)
	n.hold(2 * time.Second)
	if alive := len(n.watch.Alive()); alive != 60 {
		t.Errorf("%d children for 60 slots", alive)
	}
	n.noDoubles()
}
