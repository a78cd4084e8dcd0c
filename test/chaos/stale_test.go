package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// speakForThePast sends everything that a dead life of a host could still
// have had on its way: each must be refused.
func (n *network) speakForThePast(old map[string]store.Reservation, host, incarnation string) {
	n.t.Helper()
	ctx, s := n.t.Context(), n.store()
	past := store.Holder{Host: host, Incarnation: incarnation}
	if _, err := s.Heartbeat(ctx, past); !errors.Is(err, store.ErrStale) && !errors.Is(err, store.ErrUnknownHost) {
		n.t.Errorf("heartbeat of an older life: %v; want it refused", err)
	}
	if incarnation != n.incarnation(host) { // the last life of a host that is down may say that it leaves
		mustBeStale(n.t, "leave", second(s.Leave(ctx, past)))
	}
	for _, v := range old {
		if v.Host != host {
			continue
		}
		mustBeStale(n.t, "claim", s.Claim(ctx, v, incarnation))
		mustBeStale(n.t, "publish", second(s.Publish(ctx, v, incarnation, map[string]string{"url": "http://old.example"})))
		mustBeStale(n.t, "assert", second(s.Assert(ctx, v, incarnation, store.Copy{Source: "list", Chain: []string{"work"}})))
		mustBeStale(n.t, "release", second(s.Release(ctx, v, incarnation, store.Release{Reason: stream.Because(stream.CodeEnded)})))
		mustBeStale(n.t, "giving up", second(s.Release(ctx, v, incarnation, store.Release{Reason: stream.Because(stream.CodeEnded), Avoid: time.Minute})))
	}
}

func second[T any](_ T, err error) error { return err }

// resend puts commands of an older term on the hosts' queues once more.
func (n *network) resend(old map[string]store.Reservation, hosts ...string) {
	n.t.Helper()
	q, err := queue.NewClient(n.client, "")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, v := range old {
		for _, host := range hosts {
			for i, verb := range []queue.Verb{queue.Start, queue.Stop, queue.Update} {
				late := queue.Reservation{Key: v.Key, Instance: v.Instance, Type: v.Type, Host: host, Token: v.Token, Sending: int64(100 + i)}
				if err := q.SlotCommand(n.t.Context(), verb, late); err != nil {
					n.t.Fatal(err)
				}
			}
		}
	}
}

func TestMessagesOfAnOlderLifeTouchNothing(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 6})
	before, from := n.watch.Alive(), time.Now()
	held, first := n.reservations(), n.incarnation("w0")

	// The next life adopts: the tokens are the same, the life is another.
	n.workers[0].Kill()
	n.workers[0].Again()
	realtest.Await(t, time.Minute, "the next life is registered", func() bool { return n.incarnation("w0") != first })
	n.hold(2 * beat)
	n.speakForThePast(held, "w0", first)
	n.hold(2 * beat)
	n.sameChildren(before)
	n.sameReservations(held)
	n.noGaps(from)

	// Nobody comes: the slots are another host's, under other tokens.
	adopted, lost := n.incarnation("w0"), n.on("w0")
	n.workers[0].Kill()
	n.awaitElsewhere("w0", lost, time.Minute)
	n.awaitRest(6, time.Minute, "the records say so")
	before, now := n.watch.Alive(), n.reservations()
	n.speakForThePast(held, "w0", first)
	n.speakForThePast(held, "w0", adopted)
	for _, v := range held {
		if v.Host == "w0" {
			mustBeStale(t, "taking back", n.store().Unassign(t.Context(), v, time.Minute, stream.Because(stream.CodeNoRoom)))
		}
	}
	n.resend(held, "w0", "w1")
	n.hold(3 * beat)
	n.sameChildren(before)
	n.sameReservations(now)
	n.noDoubles()
	n.record("messages of an older life", from)
}

// A frozen runner wakes with everything undone: commands in its queue, a
// release to send for each slot. All of it is another's by then.
func TestCleanUpOfAStaleOwnerLeavesTheNewOnesClaim(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 2, capacity: 10, streams: 6})
	lost, held, from := n.on("w0"), n.reservations(), time.Now()
	n.workers[0].Signal(syscall.SIGSTOP)
	n.awaitElsewhere("w0", lost, time.Minute)
	n.awaitRest(6, time.Minute, "the records say so")
	n.resend(held, "w0")
	before, now := n.watch.Alive(), n.reservations()
	n.workers[0].Signal(syscall.SIGCONT)
	realtest.Await(t, time.Minute, "the frozen one serves its lease again", func() bool { return logged(n.workers[0], "registering again") })
	n.hold(ttl)
	n.sameChildren(before)
	n.sameReservations(now)
	n.noDoubles()
	n.record("frozen runner wakes and cleans up", from)
}

// The runner dies in the moment between a supervisor's start and its go.
func TestRunnerKilledBetweenSpawnAndGo(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 1, capacity: 40, streams: 1})
	caught := 0
	for i := range or(3, 20) {
		pid := n.freezeNextSupervisor(2 + i)
		if pid == 0 {
			continue // it had its go already
		}
		n.workers[0].Kill()
		thaw(t, pid)
		lives := len(n.watch.Lives())
		n.workers[0].Again()
		again := time.Now()
		n.awaitLive(2+i, time.Minute)
		// Without this it waits 10 s for a go that nobody will give.
		if took := time.Since(again); took > 6*time.Second+slack(t) {
			t.Errorf("the slot ran only %v after the restart", took)
		}
		caught++
		if now := len(n.watch.Lives()); now != lives+1 {
			t.Errorf("%d children began after the death, want the one that was missing", now-lives)
		}
		n.awaitRest(2+i, time.Minute, "the records say so")
	}
	if caught == 0 {
		t.Fatal("no supervisor was ever caught before its go")
	}
	t.Logf("caught %d times between spawn and go", caught)
	n.noDoubles()
}

// freezeNextSupervisor makes one more stream live and freezes the supervisor
// that is started for it; 0 if it has its child already.
func (n *network) freezeNextSupervisor(streams int) int {
	n.t.Helper()
	there := n.workers[0].Supervisors()
	n.list(streams)
	caught := 0
	for limit := time.Now().Add(20 * time.Second); caught == 0; {
		if time.Now().After(limit) {
			n.t.Fatal("no supervisor was started")
		}
		for _, pid := range n.workers[0].Supervisors() {
			if !slices.Contains(there, pid) && syscall.Kill(pid, syscall.SIGSTOP) == nil {
				caught = pid
			}
		}
	}
	realtest.Await(n.t, 10*time.Second, "the supervisor stands still", func() bool {
		state, _ := processOf(n.t, caught)
		return state == "T" || state == "" // gone
	})
	if hasChild(n.t, caught) {
		thaw(n.t, caught)
		return 0
	}
	return caught
}

// processOf reads the state and the parent of a process; empty and 0: it is gone.
func processOf(t testing.TB, pid int) (state string, parent int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// The name before it stands in brackets and may hold anything.
	if _, err := fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent); err != nil {
		t.Fatalf("/proc/%d/stat %q: %v", pid, text, err)
	}
	return state, parent
}

func hasChild(t testing.TB, pid int) bool {
	t.Helper()
	names, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if child, err := strconv.Atoi(name.Name()); err == nil {
			if _, parent := processOf(t, child); parent == pid {
				return true
			}
		}
	}
	return false
}

func thaw(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && err != syscall.ESRCH {
		t.Fatalf("SIGCONT to %d: %v", pid, err)
	}
}

// The runner dies with the tombstone written and the release not delivered;
// the stream is wanted again meanwhile.
func TestRunnerKilledBetweenTombstoneAndRelease(t *testing.T) {
	t.Parallel()
	n := begin(t, plan{workers: 1, capacity: 10, streams: 4, childEnv: "TEST_CHILD_MODE: deaf"})
	from, spent := time.Now(), n.reservations()["s003"].Token
	others := slices.DeleteFunc(n.watch.Alive(), func(l realrun.Life) bool { return l.Stream == "s003" })
	n.list(3)
	realtest.Await(t, time.Minute, "the slot is to stop", func() bool { return n.instances()["s003"].State == "stopping" })
	realtest.Await(t, time.Minute, "its runner has begun to stop it", func() bool { return logged(n.workers[0], `"state":"stopping"`) })
	n.ways[0].Cut() // within the grace that the deaf child sits out
	tombstones := filepath.Join(n.workers[0].StateDir, "tombstones")
	realtest.Await(t, time.Minute, "the tombstone is written", func() bool {
		text, err := os.ReadFile(tombstones)
		return err == nil && strings.Contains(string(text), spent)
	})
	n.workers[0].Kill()
	if v := n.instances()["s003"]; v.Token != spent {
		t.Errorf("the slot is %+v; the release was to be lost", v)
	}
	n.ways[0].Heal()
	n.workers[0].Again()
	n.list(4)
	n.awaitLive(4, time.Minute)
	n.awaitRest(4, time.Minute, "the records say so")
	begun := 0
	for _, l := range n.watch.Lives() {
		if l.Token == spent {
			begun++
		}
	}
	if now := n.reservations()["s003"].Token; begun != 1 || now == spent {
		t.Errorf("%d children under the spent token, the slot is under %s; want one, and another token than %s", begun, now, spent)
	}
	n.sameChildren(others)
	n.noDoubles()
	n.record("killed between tombstone and release", from)
}
