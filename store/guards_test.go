package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// guard is one thing that keeps an invariant: the text that does it in the
// scripts, and an interleaving in which its absence is seen. play returns what
// was broken.
type guard struct {
	name string
	cuts []cut
	play func(g *stage) error
}

type cut struct{ script, old, new string }

// both takes a text out of the two scripts that share it.
func both(a, b, old, new string) []cut { return []cut{{a, old, new}, {b, old, new}} }

var guards = []guard{
	{"claim compares the token", []cut{{"claim", "if s[3] ~= token or s[2] ~= host then", "if false then"}}, lateClaim},
	{"claim compares the incarnation", []cut{{"claim", "if h[1] ~= incarnation or h[2] == 'down' then", "if false then"}}, claimOfTheOtherMachine},
	{"claim looks at the state", []cut{{"claim", "if s[1] ~= 'assigned' and s[1] ~= 'running' then", "if false then"}}, claimOfWhatEnds},
	{"claim waits in a hold", []cut{{"claim", "if why then return { 'hold', why } end", ""}}, claimFromOlderData},
	{"release compares the token", []cut{{"release", "s[2] ~= host or s[3] ~= token or", "s[2] ~= host or"}}, lateRelease},
	{"release compares the incarnation", []cut{{"release", " or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then", " then"}}, releaseOfADeadLife},
	{"a refused give-up changes the token", []cut{{"release", "local fresh = issue()", "local fresh = token"}}, lateGiveUp},
	{"unassign takes only what nobody claimed", []cut{{"unassign", "if s[1] ~= 'assigned' or s[3] ~= token then", "if s[3] ~= token then"}}, unassignOfWhatRuns},
	{"reap waits in a hold", []cut{{"reap", "if now < (stamp(r[1]) or 0) then return", "if false then return"}}, backAfterAnOutage},
	{"a missing tick opens a hold", []cut{{"reap", "if now - tick > 3000 then", "if false then"}}, outageOfAll},
	{"most hosts at once are held", []cut{{"reap", "if lapsed > 2 and lapsed >", "if lapsed > 99 and lapsed >"}}, mostHostsCut},
	{"another run id opens a hold", both("reap", "fence", "elseif r[2] ~= id then", "elseif false then"), olderData},
	{"another life of the data opens a hold", []cut{{"reap", "if epoch ~= '' and epoch ~= r[4] then", "if false then"}}, emptiedBesideAFrozenRunner},
	{"a jump of the clock opens a hold", []cut{{"reap", "elseif math.abs(now - tonumber(expected)) > 500 then", "elseif false then"}}, clockJumps},
	{"a jump unseen by a new scheduler opens a hold", []cut{{"reap", "if now - tick > 500 + shortest(ttl) / 10 then", "if false then"}}, clockJumpsAndSchedulerIsNew},
	{"a clock that went back opens a hold", []cut{{"reap", "if tick - now > 500 then return", "if false then return"}}, clockGoesBack},
	{"a forgotten script makes the store looked at", []cut{{"fence", "local epoch = fence('', '', ttl, beat, false, true)", "local epoch = ''"}}, olderDataBeforeATick},
	{"nothing is given before the first tick", []cut{{"place", "if not tick then return because('never-watched') end", "if not tick then return nil end"}}, emptiedBeforeATick},
	{"a hold has every host reconcile", both("reap", "fence", "    reconcile_hosts()\n", ""), sameRevision},
	{"a holder in a first start prolongs it", []cut{{"assert", "if hold == because('first-start') then", "if false then"}}, emptiedAndForgotten},
	{"assert: the higher token wins", []cut{{"assert", "and number(token) <= number(s[3]) then", "and false then"}}, holderOfAnOlderToken},
	{"assert: absent only in a hold", []cut{{"assert", "if not s[1] and not hold then", "if false then"}}, holderOfWhatEnded},
	{"assert raises the token counter", []cut{{"assert", "redis.call('SET', ns .. 'token', int(number(token)))", ""}}, tokensAfterALoss},
	{"tokens have a nonce", []cut{{"place", "return number .. '-' .. nonce", "return number .. '-0'"}}, tokensAfterOlderData},
	{"register refuses a second machine", []cut{{"register", "if left > 0 or held > 0 then", "if false then"}}, secondMachine},
	{"register compares and sets", []cut{{"register", "if old[2] == host_id then return { 'changed', old[1] } end", "if old[2] == host_id then old[1] = nil end"},
		{"register", "if left > 0 or held > 0 then", "if old[1] and (left > 0 or held > 0) then"}}, lateRegister},
	{"heartbeat compares the incarnation", []cut{{"heartbeat", "if h[1] ~= incarnation then", "if false then"}}, beatOfADeadLife},
	{"heartbeat tells a reaped host", []cut{{"heartbeat", " or h[4] == 'down' then", " then"}}, beatOfAReapedHost},
	{"a host keeps its lease while it holds", []cut{{"leave", "local held = redis.call('ZCARD', ns .. 'slots:' .. host)", "local held = 0"}}, leaveAndDie},
	{"want compares the mark", []cut{{"want", "if tonumber(redis.call('ZSCORE', dirty, key)) ~= tonumber(number) then", "if false then"}}, lateWant},
	{"want unwants nothing in a hold", []cut{{"want", "local hold, till = held()", "local hold, till"}}, unwantedInAHold},
	{"want takes nothing away for what does not read", []cut{{"want", "kept[v.name] or adds and not heldback then", "kept[v.name] then"}}, unwantedForNonsense},
	{"place writes the outbox", []cut{{"place", "redis.call('ZADD', ns .. 'outbox', time, line)", ""}}, schedulerDiesAfterPlace},
	{"gone frees what runs only when it has ended", []cut{{"want",
		"redis.call('HSET', at, 'state', 'stopping', 'since', int(now), 'reason', why)",
		"give_back(stype, key, instance, s[2]) forget(stype, key, instance)"}}, goneAndBack},
	{"place looks at the service again", []cut{{"place", "if not load or load > 1000000 then", "if not load then"}}, capacityLoweredByHand},
	{"a lead that is taken back gives way in that step", []cut{{"reap", "    settle(key, slot, because('lead-lost'))", ""}}, leadDies},
	{"a lead that fails for long gives way", []cut{{"want", "elseif was[1] ~= 'pending' and was[1] ~= 'assigned' then", "elseif false then"},
		{"want", "if fit or now < till then", "if true then"}}, leadFails},
	{"who is not ready yet leads nobody", []cut{{"want", "if v[1] ~= 'running' or (v[2] or '') ~= '' or not v[3] then return false end", "if v[1] ~= 'running' or not v[3] then return false end"}}, unreadyBesideALeadThatIsDown},
	{"a check keeps out half at most", []cut{{"check", "local most = math.floor(n / 2)", "local most = n"}}, checkFailsEverywhere},
	{"a check keeps out half of those that are up", []cut{{"reap", "weigh(stype) -- half", "-- half"}}, halfDiesBesideWhoFails},
	{"a slot has one successor at a time", []cut{{"succeed", "or o[1] == 'stopping' and o[2] == s[7] then", "then"}}, movedTwice},
	{"what is asserted is not waited for besides", []cut{{"assert", "if number_of(name) > 0 and not o[4] and (o[5] or '1') == own and (o[1] == 'pending' or o[1] == 'assigned') then", "if false then"}}, assertedUnderALaterName},
	{"a slot is counted once", []cut{{"assert", "if redis.call('ZADD', ns .. 'slots:' .. host, 0, row_of(stype, key, instance)) == 0 and not seen then return end",
		"redis.call('ZADD', ns .. 'slots:' .. host, 0, row_of(stype, key, instance))"}}, assertedTwice},
}

// mendGuards keep what a hand takes from an index from being lost.
var mendGuards = []guard{
	{"mend puts what waits in line", []cut{{"mend", "redis.call('ZADD', queue, 'NX', int(rank or is_job(instance) and JOBS + now or now), line) == 1", "false"}}, queueIsLost},
	{"want puts what waits in line", []cut{{"want", "if s[1] == 'pending' then line(", "if false then line("}}, queueIsLostAndStreamIsMarked},
	{"mend puts what is placed in the outbox", []cut{{"mend", "right(redis.call('ZADD', ns .. 'outbox', 'NX', int(now), line))", ""}}, outboxIsLost},
	{"mend lists what is held", []cut{{"mend", "if redis.call('ZADD', ns .. 'slots:' .. host, 0, (with and beside_row or row_of)(stype, key, instance)) == 1 then", "if false then"}}, rowsAreLost},
	{"mend gives who holds something a lease", []cut{{"mend", "if once(ns .. 'hosts', host) then leased(host) end", ""}}, hostIsLost},
	{"reindex gives who is up a lease", []cut{{"reindex", "if state ~= 'down' and stamp(v[2]) then", "if false then"}}, leaseIsLost},
	{"reindex lowers nothing for lost rows", []cut{{"reindex", "if not was or was <= rows then return rows end", "if true then return rows end"}}, rowsOfAFullHostAreLost},
	{"register lowers nothing for lost rows", []cut{{"register", "if not used or used < rows(stype, host) then recount(stype, host) end", "recount(stype, host)"}}, rowsAreLostAndItsHostRegisters},
	{"register waits for a lease that is lost", []cut{{"register", "if not ends and old[5] ~= 'down' then", "if false then"}}, secondMachineUnderALostLease},
	{"mend has streams looked at whose mark is lost", []cut{{"mend", "if look then mark(key) end", ""}}, markIsLost},
	{"announce counts what is announced", []cut{{"announce", " or known > 0 and redis.call('HLEN', announced) ~= known then", " then"}}, announcedIsLost},
	{"place counts what a false row names", []cut{{"place", "== 0 and not seen then return end", "== 0 then return end"}}, falseRow},
}

// TestEachGuardIsNeeded plays each interleaving twice: with the guard nothing
// may break, without it something must.
func TestEachGuardIsNeeded(t *testing.T) {
	t.Parallel()
	for _, v := range slices.Concat(guards, mendGuards, poolGuards, apartGuards, sidecarGuards, labelGuards, jobGuards) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if err := v.play(newStage(t)); err != nil {
				t.Fatalf("with the guard: %v", err)
			}
			g := newStage(t)
			for _, c := range v.cuts {
				if err := store.Alter(g.s, c.script, c.old, c.new); err != nil {
					t.Fatalf("the guard is written otherwise now, write it so here: %v", err)
				}
			}
			if err := v.play(g); err == nil {
				t.Fatal("without the guard nothing broke: it guards nothing, or this interleaving does not reach it")
			}
		})
	}
}

// The store was emptied, and the first poller to speak has an older file.
func unwantedInAHold(g *stage) error {
	emptied(g)
	_, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Chain: []string{"rec"}, Fields: map[string]string{"source": "src"}})
	g.must(err)
	return g.stillRuns("s1")
}

// One of two announcements does not read; the other has no such slot.
func unwantedForNonsense(g *stage) error {
	running(g)
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	_, err := g.s.Want(g.ctx, store.Want{Mark: g.marked("s1"), Wanted: true, Adds: true, Chain: []string{"rec"}, Fields: map[string]string{"source": "src"}})
	g.must(err)
	return g.stillRuns("s1")
}

func (g *stage) stillRuns(key string) error {
	g.t.Helper()
	if v := g.instance(key); v.State != stream.Running {
		return fmt.Errorf("%s/enc is %s: %s", key, v.State, v.Reason)
	}
	return nil
}

// The lead's host dies beside a ready successor.
func leadDies(g *stage) error {
	_, b, _, _ := pair(g)
	g.pass(11*time.Second, b)
	return g.hears("enc.2", "of-b")
}

// The lead has failed for 6 s beside one that is ready.
func leadFails(g *stage) error {
	a, b, v, _ := pair(g)
	g.phase(v, a, stream.Failing)
	g.pass(6*time.Second, a, b)
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	wantMarked(g.t, g.s, "s1", true, "enc")
	return g.hears("enc.2", "of-b")
}

// The lead is down for 6 s beside one whose output is not there yet.
func unreadyBesideALeadThatIsDown(g *stage) error {
	a, b, v, next := pair(g)
	g.phase(next, b, stream.Unready)
	g.must(g.s.Report(g.ctx, v, a.Incarnation, store.Observation{Fields: map[string]string{"up": ""}}))
	g.pass(6*time.Second, a, b)
	g.must(g.s.MarkDirty(g.ctx, "s1"))
	wantMarked(g.t, g.s, "s1", true, "enc")
	return g.hears("enc.1", "of-a")
}

// What is asked fails on each host, as a broken check does.
func checkFailsEverywhere(g *stage) error {
	g.open()
	for _, name := range []string{"a", "b"} {
		_, err := g.s.CheckService(g.ctx, g.host(name), "enc", "502")
		g.must(err)
	}
	g.want("s1")
	if p := g.place("s1"); p.Outcome != store.Placed {
		return fmt.Errorf("nobody takes anything: %+v", p)
	}
	return nil
}

// Two of four fail; the other two die.
func halfDiesBesideWhoFails(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.host("c")
	g.host("d")
	for _, h := range []store.Holder{a, b} {
		_, err := g.s.CheckService(g.ctx, h, "enc", "502")
		g.must(err)
	}
	g.pass(12*time.Second, a, b)
	g.want("s1")
	if p := g.place("s1"); p.Outcome != store.Placed {
		return fmt.Errorf("nobody takes anything: %+v", p)
	}
	return nil
}

func (g *stage) hears(instance, url string) error {
	if lead, says := g.heard(); lead != instance || says != url {
		return fmt.Errorf("%q leads and the slot says %q; want %s and %s", lead, says, instance, url)
	}
	return nil
}

// A slot moves again while the one before is within its stop grace.
func movedTwice(g *stage) error {
	a, b, v, next := pair(g)
	_, err := g.s.Lead(g.ctx, v, next.Token)
	g.must(err)
	third := g.host("c")
	m, err := g.s.Move(g.ctx, "s1", "enc", "c", 0)
	g.must(err)
	g.must(g.s.Succeed(g.ctx, m))
	r, err := g.s.Record(g.ctx, "s1")
	g.must(err)
	if len(r.Instances) > 2 {
		return fmt.Errorf("I5: three instances of a slot that wants one: %+v", r.Instances)
	}
	_, _, _ = a, b, third
	return nil
}

// The store is emptied after a move: its holder has enc.2, and want puts a new
// first instance in line.
func assertedUnderALaterName(g *stage) error {
	a, b, v, next := pair(g)
	_, err := g.s.Lead(g.ctx, v, next.Token)
	g.must(err)
	g.dies(v)
	g.release(v, a)
	g.empty()
	g.tick()
	for _, h := range []store.Holder{a, b} {
		g.must(g.register(h, "id-"+h.Host, ""))
	}
	g.want("s1")
	_, err = g.s.Assert(g.ctx, next, b.Incarnation, store.Copy{Chain: []string{"enc"}, Source: store.ManualSource, Announcement: `{"chain":["enc"]}`})
	g.must(err)
	g.beaten = 0
	g.pass(20*time.Second, a, b)
	if waiting, err := g.s.Pending(g.ctx, "enc", 0, 10); err != nil || len(waiting) > 0 {
		return fmt.Errorf("I5: beside what runs %+v waits, %v", waiting, err)
	}
	return g.hears("enc.2", "")
}

func lateClaim(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.must(g.s.Unassign(g.ctx, v, 0, stream.Because(stream.CodeUnclaimed)))
	g.runs(g.given("s1", "a"), a)
	return g.starts(v, a) // the first start comes late
}

// Machine 1 is frozen and reaped; machine 2 takes its name and its queue.
func claimOfTheOtherMachine(g *stage) error {
	g.open()
	frozen := g.host("a")
	g.pass(11 * time.Second)
	second := store.Holder{Host: "a", Incarnation: "a-2"}
	g.must(g.register(second, "id-other", ""))
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, second)
	return g.starts(v, frozen)
}

func claimOfWhatEnds(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.end("s1")
	g.dies(v)
	if err := g.s.Claim(g.ctx, v, a.Incarnation); err == nil {
		return errors.New("a late claim starts what is not wanted any more")
	}
	return nil
}

// The data is from when a had the slot; since then b got it.
func claimFromOlderData(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.save()
	g.must(g.s.Unassign(g.ctx, v, 0, stream.Because(stream.CodeUnclaimed)))
	g.runs(g.given("s1", "b"), b)
	g.restore()
	return g.starts(v, a)
}

func lateRelease(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.dies(v)
	g.release(v, a)
	g.runs(g.given("s1", "a"), a)
	g.release(v, a) // once more
	return g.elsewhere("s1", b)
}

func releaseOfADeadLife(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.must(g.register(store.Holder{Host: "a", Incarnation: "a-2"}, "id-a", "a-1")) // adopts
	g.release(v, a)
	return g.elsewhere("s1", b)
}

// The first request to give up is under way while the second is refused; then
// the child starts again, and there is room.
func lateGiveUp(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	ask := store.Release{Reason: stream.Because(stream.CodeFailed, "exit", "exit 1", "times", "5"), Avoid: time.Minute, OnlyIfRoom: true, Classes: []string{stream.Class{}.ID()}}
	g.dies(v)
	got, err := g.s.Release(g.ctx, v, a.Incarnation, ask)
	g.must(err)
	if got != store.Stays {
		return fmt.Errorf("given up to nowhere: %v", got)
	}
	g.runs(g.instance("s1").Reservation, a)
	b := g.host("b")
	_, _ = g.s.Release(g.ctx, v, a.Incarnation, ask) // the late one
	return g.elsewhere("s1", b)
}

func unassignOfWhatRuns(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	_ = g.s.Unassign(g.ctx, v, 0, stream.Because(stream.CodeUnclaimed)) // decided before the claim
	return g.elsewhere("s1", b)
}

// Nobody reaches the store for 20 s; the hosts keep their children.
func outageOfAll(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	g.pass(2*time.Second, a, b)
	g.away(20 * time.Second)
	_, err := g.s.Heartbeat(g.ctx, b)
	g.must(err)
	g.tick()
	return g.elsewhere("s1", b)
}

// The same; a speaks a moment after the first tick.
func backAfterAnOutage(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	g.away(20 * time.Second)
	_, err := g.s.Heartbeat(g.ctx, b)
	g.must(err)
	g.tick()
	if _, err := g.s.Heartbeat(g.ctx, a); err != nil {
		return fmt.Errorf("its slots were taken before it could speak: %w", err)
	}
	return nil
}

// Three of four hosts are away for 12 s, then back: that is not three deaths.
func mostHostsCut(g *stage) error {
	g.open()
	a, b, c, d := g.host("a"), g.host("b"), g.host("c"), g.host("d")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.pass(2*time.Second, a, b, c, d)
	g.pass(12*time.Second, d)
	if _, err := g.s.Heartbeat(g.ctx, a); err != nil {
		return fmt.Errorf("its slots were taken while most hosts were away: %w", err)
	}
	return g.elsewhere("s1", d)
}

// Data from when a had the slot; a has let go since, and b runs it.
func olderData(g *stage) error {
	a, c, v := movedSinceSave(g)
	g.restore()
	g.tick()
	g.release(v, a) // a token that is tombstoned is released again
	return g.elsewhere("s1", c)
}

func olderDataBeforeATick(g *stage) error {
	a, c, v := movedSinceSave(g)
	g.restore()
	g.release(v, a)
	return g.elsewhere("s1", c)
}

func movedSinceSave(g *stage) (a, c store.Holder, v store.Reservation) {
	g.open()
	var b store.Holder
	a, b, c = g.host("a"), g.host("b"), g.host("c")
	g.want("s1")
	v = g.given("s1", "a")
	g.runs(v, a)
	g.save()
	g.dies(v)
	g.release(v, a)
	g.runs(g.given("s1", "b"), b)
	return a, c, v
}

// a's runner is frozen: its child ends after 8 s. The store is emptied, and a
// scheduler that remembers nothing comes first.
func emptiedBesideAFrozenRunner(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	_, err := g.s.Heartbeat(g.ctx, a)
	g.must(err)
	g.empty()
	_, err = g.s.Reap(g.ctx, store.ReapMemory{})
	g.must(err)
	g.tick()
	b := g.host("b")
	g.want("s1")
	g.pass(7*time.Second, b)
	return g.elsewhere("s1", b)
}

// a's runner died after a beat: its child ends 8 s after that, its lease 10 s.
func clockJumps(g *stage) error {
	b := beatenThenDead(g)
	g.c.us += 2_400_000
	g.pass(200*time.Millisecond, b)
	return g.elsewhere("s1", b)
}

func clockJumpsAndSchedulerIsNew(g *stage) error {
	b := beatenThenDead(g)
	g.c.us += 2_400_000
	g.memory = store.ReapMemory{}
	g.pass(200*time.Millisecond, b)
	return g.elsewhere("s1", b)
}

func beatenThenDead(g *stage) store.Holder {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	_, err := g.s.Heartbeat(g.ctx, a)
	g.must(err)
	g.pass(7500*time.Millisecond, b)
	return b
}

// The clock goes back by an hour under a new scheduler: leases reach an hour
// into the future until the hold mends them.
func clockGoesBack(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.c.us -= 3_600_000_000
	g.beaten = 0
	g.memory = store.ReapMemory{}
	g.dies(v) // a is dead
	g.pass(40*time.Second, b)
	if p := g.placeOn("s1", "b"); p.Outcome != store.Placed {
		return fmt.Errorf("L1: a host that died before the clock went back is never reaped: %+v", p)
	}
	return nil
}

// The store is emptied; its scripts stay, so nothing tells of it.
func emptiedBeforeATick(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	g.empty()
	g.host("b")
	g.want("s1")
	p := g.placeOn("s1", "b")
	if p.Outcome == store.Placed {
		return fmt.Errorf("placed on b, unseen, while a runs it: %+v", p)
	}
	return nil
}

// b got the slot after the save, and saw revision r+1. The restored revision
// is r, and something raises it by one.
func sameRevision(g *stage) error {
	g.open()
	a, b, c := g.host("a"), g.host("b"), g.host("c")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.save()
	g.dies(v)
	g.release(v, a)
	w := g.given("s1", "b")
	g.runs(w, b)
	seen, err := g.s.Heartbeat(g.ctx, b)
	g.must(err)
	g.restore()
	g.tick()
	g.must(g.s.Cordon(g.ctx, "b", stream.Up))
	g.release(v, a)
	now, err := g.s.Heartbeat(g.ctx, b)
	g.must(err)
	if now.Rev != seen.Rev { // b looks, and finds a child that is not listed
		if _, err := g.s.Assert(g.ctx, w, b.Incarnation, store.Copy{Chain: []string{"enc"}}); err != nil {
			return err
		}
	}
	g.pass(20*time.Second, a, b, c)
	return g.elsewhere("s1", c)
}

// The store is emptied and no scheduler remembers it. b is frozen; a speaks.
func emptiedAndForgotten(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.want("s2")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.runs(g.given("s2", "b"), b)
	_, err := g.s.Heartbeat(g.ctx, b)
	g.must(err)
	g.empty()
	g.memory = store.ReapMemory{}
	g.pass(500 * time.Millisecond)
	g.must(g.register(a, "id-a", ""))
	if _, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}}); err != nil {
		return err
	}
	g.want("s2")
	g.pass(6*time.Second, a)
	return g.elsewhere("s2", a) // b's child lives for 8 s
}

// a was cut off and kept its child; b has the slot since.
func holderOfAnOlderToken(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.must(g.s.Claim(g.ctx, v, a.Incarnation))
	g.pass(11*time.Second, b)
	g.runs(g.given("s1", "b"), b)
	g.must(g.register(a, "id-a", "a-1"))
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}})
	g.must(err)
	if !got.Keep {
		return nil // its child ends
	}
	return g.lives(v)
}

func holderOfWhatEnded(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.pass(11*time.Second, b)
	g.end("s1")
	g.must(g.register(a, "id-a", "a-1"))
	got, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}})
	g.must(err)
	if got.Keep {
		return errors.New("a child is kept of a stream that has ended")
	}
	return nil
}

func tokenNumber(token string) int64 {
	digits, _, _ := strings.Cut(token, "-")
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// The store is emptied and its clock is an hour behind. What is issued from
// now on has to be later than what a holder asserted.
func tokensAfterALoss(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	g.c.us -= 3_600_000_000
	g.empty()
	g.tick()
	g.must(g.register(a, "id-a", ""))
	g.must(g.register(b, "id-b", ""))
	_, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}, Source: store.ManualSource, Announcement: `{"chain":["enc"]}`})
	g.must(err)
	g.beaten = 0
	g.pass(20*time.Second, a, b)
	g.dies(v)
	g.release(v, a)
	if w := g.given("s1", "b"); tokenNumber(w.Token) <= tokenNumber(v.Token) {
		return fmt.Errorf("the later token %s is not the higher one: %s was before", w.Token, v.Token)
	}
	return nil
}

// The same place at the same moment of two lives of the data: I7.
func tokensAfterOlderData(g *stage) error {
	g.open()
	h := g.host("a")
	g.want("s1")
	g.save()
	at := g.c.us + 30_000_000
	g.away(0)
	g.pass(time.Duration(at-g.c.us)*time.Microsecond, h)
	v := g.given("s1", "a")
	g.restore()
	g.c.us = at - 20_000_000
	g.beaten = 0
	g.pass(20*time.Second, h)
	if w := g.given("s1", "a"); w.Token == v.Token {
		return fmt.Errorf("I7: %s was issued twice", w.Token)
	}
	return nil
}

func secondMachine(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	second := store.Holder{Host: "a", Incarnation: "a-2"}
	if err := g.register(second, "id-other", ""); err != nil {
		return nil
	}
	return g.starts(v, second)
}

func lateRegister(g *stage) error {
	g.open()
	first := g.host("a")
	second := store.Holder{Host: "a", Incarnation: "a-2"}
	g.must(g.register(second, "id-a", "a-1"))
	_ = g.register(first, "id-a", "") // sent by a life that is over
	if _, err := g.s.Heartbeat(g.ctx, second); err != nil {
		return fmt.Errorf("a dead life of the host took over: %w", err)
	}
	return nil
}

// A machine that lost its name goes on beating; the one that has it dies.
func beatOfADeadLife(g *stage) error {
	g.open()
	first, b := g.host("a"), g.host("b")
	g.pass(11*time.Second, b)
	second := store.Holder{Host: "a", Incarnation: "a-2"}
	g.must(g.register(second, "id-other", ""))
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, second)
	g.dies(v)
	for range 15 {
		_, _ = g.s.Heartbeat(g.ctx, first)
		g.pass(time.Second, b)
	}
	if p := g.placeOn("s1", "b"); p.Outcome != store.Placed {
		return fmt.Errorf("L1: the lease of a dead host is kept alive by another: %+v", p)
	}
	return nil
}

func beatOfAReapedHost(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.must(g.s.Claim(g.ctx, v, a.Incarnation))
	g.pass(11*time.Second, b)
	g.runs(g.given("s1", "b"), b)
	if _, err := g.s.Heartbeat(g.ctx, a); err != nil {
		return nil // it registers and asserts, and its child ends
	}
	return g.lives(v)
}

func leaveAndDie(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	if _, err := g.s.Leave(g.ctx, a); err != nil {
		return err
	}
	g.dies(v) // and so does all of a, before it could release
	g.pass(12*time.Second, b)
	if p := g.placeOn("s1", "b"); p.Outcome != store.Placed {
		return fmt.Errorf("L1: a host died while it left, and keeps its slots: %+v", p)
	}
	return nil
}

// One scheduler reads that a stream is announced; another sees its end.
func lateWant(g *stage) error {
	g.open()
	g.must(g.s.AddStream(g.ctx, "s1", stream.Announcement{Chain: []string{"enc"}}))
	marks, err := g.s.Dirty(g.ctx, 1)
	g.must(err)
	g.c.advance(time.Millisecond)
	g.end("s1")
	_, _ = g.s.Want(g.ctx, store.Want{Mark: marks[0], Wanted: true, Chain: []string{"enc"}, Fields: map[string]string{"source": "manual"}})
	if _, err := g.s.Record(g.ctx, "s1"); err == nil {
		return errors.New("I6: a stream that nobody announces is wanted, and not marked")
	}
	return nil
}

func schedulerDiesAfterPlace(g *stage) error {
	g.open()
	g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	due, _, err := g.s.Outbox(g.ctx, 3*time.Second, 20*time.Second, 10) // another one
	g.must(err)
	if len(due) != 1 || due[0].Reservation != v {
		return fmt.Errorf("I6: nobody sends the start of %+v: %+v", v, due)
	}
	return nil
}

// The stream goes and comes back while its child is within its stop grace.
func goneAndBack(g *stage) error {
	g.open()
	a, b := g.host("a"), g.host("b")
	g.want("s1")
	g.runs(g.given("s1", "a"), a)
	g.end("s1")
	g.want("s1")
	return g.elsewhere("s1", b)
}

func capacityLoweredByHand(g *stage) error {
	g.open()
	g.host("a")
	g.want("s1")
	g.want("s2")
	g.given("s1", "a")
	g.must(g.client.HSet(g.ctx, "service:enc:a", "capacity", "1").Err())
	if p := g.place("s2"); p.Outcome == store.Placed {
		return errors.New("I2: a second slot on a capacity of one")
	}
	return nil
}

func assertedTwice(g *stage) error {
	g.open()
	a := g.host("a")
	g.want("s1")
	v := g.given("s1", "a")
	g.runs(v, a)
	for range 2 {
		_, err := g.s.Assert(g.ctx, v, a.Incarnation, store.Copy{Chain: []string{"enc"}})
		g.must(err)
	}
	if used := g.client.HGet(g.ctx, "service:enc:a", "used").Val(); used != "1" {
		return fmt.Errorf("I1: one slot is counted as %s", used)
	}
	return nil
}
