package problem

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

func lines(list []Problem) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s %s: %s", p.Level, p.What, p.Why))
	}
	return strings.Join(out, "\n")
}

func instance(slot string, state stream.State, phase stream.Phase, since int64, why stream.Reason) stream.InstanceStatus {
	return stream.InstanceStatus{Slot: slot, Instance: slot + ".1", Name: slot, Type: slot, Lead: true, State: state, Phase: phase, Since: since, Told: why.Told()}
}

func TestWhatNeedsSomebodyIsFoundAndAlikeThingsArePutTogether(t *testing.T) {
	t.Parallel()
	full := stream.Because(stream.CodeFull, "type", "dist", "services", "2", "full", "2/2, 2/2")
	slow := instance("transcode", stream.Running, stream.Runs, 5, stream.Reason{})
	slow.Speed = "0.80x"
	failed := instance("record", stream.Pending, "", 7, stream.Reason{})
	failed.Exit = "exit 1"
	s := stream.Status{
		At:    1000,
		Hold:  &stream.HoldStatus{Until: 2000, Refuses: "oom", Told: stream.Because(stream.CodeFirstStart).Told()},
		Aside: []stream.OddKey{{Key: "dirty", Was: "string", Should: "set", Aside: "aside:dirty"}},
		Refused: []stream.RefusedStatus{
			{Host: "ber", At: 3, What: "claim", Word: "noperm", Answer: "NOPERM", Do: "mend the ACL"},
			{Host: "ham", At: 3, What: "claim", Word: "oom", Answer: "OOM", Do: "give it memory"}, // as the hold says
		},
		Troubles: []stream.TroubleStatus{{Host: "ham", What: "no page", Do: "free its port"}},
		Hosts: []stream.HostStatus{{Host: "ber", State: stream.Down}, {Host: "dus", State: stream.Down, Left: true}, {Host: "ham", State: stream.Up, Services: []stream.ServiceStatus{
			{Type: "origin", State: stream.Cordoned, Told: stream.Because(stream.CodeCheckFails, "error", "502", "type", "origin").Told()}, {Type: "dist", State: stream.Up},
		}}},
		Sources: []stream.SourceStatus{
			{Name: "in", State: stream.SourceGood, Expect: []string{"s1", "s8", "s9"}, Stalled: []string{"s1"}, Warning: "refuses the password", Refused: 1, Example: "../x", Over: 2, OverExample: "s77", Max: 50,
				Rules: &stream.RulesStatus{Version: 2, By: "ber"}, Differs: []stream.DifferingFile{{Host: "ham", Since: 9, What: "record goes"}, {Host: "dus", Since: 9, Refused: "other URL"}}},
			{Name: "off", State: stream.SourceUnknown, LastGood: 4, Error: "connection refused"},
		},
		Streams: []stream.StreamStatus{
			{Key: "s2", Slots: []stream.InstanceStatus{instance("dist", stream.Pending, "", 20, full), instance("work", stream.Pending, "", 20, stream.Because(stream.CodeNeeds, "needs", "dist:url"))}},
			{Key: "s1", Slots: []stream.InstanceStatus{instance("dist", stream.Pending, "", 10, full), instance("work", stream.Pending, "", 11, stream.Reason{})}},
			{Key: "s3", Slots: []stream.InstanceStatus{instance("dist", stream.Running, stream.Runs, 1, stream.Reason{}), slow, failed}},
			{Key: "s4", Slots: []stream.InstanceStatus{instance("dist", stream.Running, stream.Failing, 2, stream.Reason{}), instance("work", stream.Running, stream.Starting, 2, stream.Reason{}),
				instance("a", stream.Assigned, "", 2, stream.Reason{}), instance("b", stream.Stopping, "", 2, stream.Reason{})}},
		},
	}
	found := Of(s, []Lost{{At: 6, Stream: "s5", Slot: "work", Host: "ber", Told: stream.Because(stream.CodeHeldElsewhere, "host", "ham").Told()}})
	ids := map[string]bool{}
	for _, p := range found {
		if ids[p.ID] || p.Level != stream.Warn && p.Level != stream.Bad {
			t.Errorf("%+v", p)
		}
		ids[p.ID] = true
	}
	together, more := Together(found, 100)
	const want = `bad On hold: nothing is taken or given: first start
bad s1 of in stands still: listed, but no bytes come in: a frozen publisher, as a rule
bad 2 new streams of in refused: such as s77; it announces the 50 it may (max_streams)
bad ber is down: its lease ended
bad origin on ham: its check fails: 502; origin takes nothing new here
bad dist of s4: failing: its child failed
bad Redis refuses claim of ber: NOPERM; mend the ACL
bad Source off is unknown: connection refused; its streams stay as they are
bad transcode, record of s3: slower than real time: 0.80x; record pending: in line
bad work of s5 ran twice: ber ended its own: host ham has it. It had been cut off from Redis, or frozen; a sink that must not see two writers wants on_store_loss: stop
bad dus announces nothing of in: other URL
warn The file of ham differs from the rules of in: record goes; in force is v2 of ber. stream-api sources diff in ham
warn dist of s1, s2: pending: all 2 dist services that match are full: 2/2, 2/2
warn work of s1: pending: in line
warn work of s2: pending: waits for dist:url
warn Key dirty was a string and no set: somebody wrote it by hand; what should be in it is made anew. What it held is aside:dirty: look at it, then DEL that
warn ham: no page: free its port
warn Source in: refuses the password
warn 1 mount of in refused: such as ../x; nothing runs for them
warn s8, s9 are missing: source in expects them and nobody publishes them`
	got := lines(together)
	if got != want || more != 0 {
		t.Errorf("found:\n%s\nwant:\n%s", got, want)
	}
	if first, more := Together(found, 3); len(first) != 3 || more != len(together)-3 {
		t.Errorf("of the first 3 there are %d, and %d more", len(first), more)
	}
	if none, _ := Together(Of(stream.Status{}, nil), 10); none == nil || len(none) != 0 {
		t.Errorf("of nothing: %v", none)
	}
}

// A slot is down when nothing of it runs, and degraded when some of it does; what runs is fragile besides if it would
// have no place again.
func TestSlotsAreDownDegradedOrFragile(t *testing.T) {
	t.Parallel()
	apart := stream.Because(stream.CodeApart, "apart", "ham holds playout.1", "type", "playout")
	of := func(n int, state stream.State, phase stream.Phase, why stream.Reason) stream.InstanceStatus {
		v := instance("playout", state, phase, int64(n), why)
		v.Copy, v.Instance, v.Lead = n, fmt.Sprintf("playout.%d", n), n == 1
		v.Name = v.Instance
		return v
	}
	runs, waits := of(1, stream.Running, stream.Runs, stream.Reason{}), of(2, stream.Pending, "", apart)
	fails := of(2, stream.Running, stream.Failing, stream.Because(stream.CodeExited, "exit", "exit 1"))
	successor := of(1, stream.Pending, "", apart)
	successor.Instance, successor.Name = "playout.3", "playout.3"
	down := of(1, stream.Pending, "", stream.Because(stream.CodeNotUp, "type", "playout", "away", "ber down"))
	slow := runs
	slow.Speed = "0.5x"
	alone := instance("playout", stream.Pending, "", 4, apart)
	for name, c := range map[string]struct {
		slots   []stream.InstanceStatus
		fragile []stream.FragileStatus
		want    string
	}{
		"all run":             {slots: []stream.InstanceStatus{runs, of(2, stream.Running, stream.Runs, stream.Reason{})}},
		"one waits":           {slots: []stream.InstanceStatus{runs, waits}, want: "degraded warn playout of s1: degraded: 1 of 2 run; playout.2 pending: apart: ham holds playout.1, and no other host offers a playout that matches"},
		"one fails":           {slots: []stream.InstanceStatus{runs, fails}, want: "degraded warn playout of s1: degraded: 1 of 2 run; playout.2 failing: exit 1"},
		"one is on its way":   {slots: []stream.InstanceStatus{runs, of(2, stream.Assigned, "", stream.Reason{})}},
		"one is being ended":  {slots: []stream.InstanceStatus{runs, of(2, stream.Stopping, "", stream.Reason{})}},
		"its successor waits": {slots: []stream.InstanceStatus{runs, of(2, stream.Running, stream.Runs, stream.Reason{}), successor}, want: " warn playout.3 of s1: pending: apart: ham holds playout.1, and no other host offers a playout that matches"},
		"none runs":           {slots: []stream.InstanceStatus{down, fails}, want: "down bad playout of s1: down: 0 of 2 run; playout.1 pending: no playout service that matches is up: ber down; playout.2 failing: exit 1"},
		"one copy, and slow":  {slots: []stream.InstanceStatus{slow, waits}, want: "degraded warn playout, playout.1 of s1: degraded: 1 of 2 run; playout.2 pending: apart: ham holds playout.1, and no other host offers a playout that matches; playout.1 slower than real time: 0.5x"},
		"its host is down":    {slots: []stream.InstanceStatus{runs, of(2, stream.Pending, "", stream.Because(stream.CodeEachAway, "host", "ber", "away", "down"))}},
		"one wanted waits":    {slots: []stream.InstanceStatus{alone}, want: "down warn playout of s1: pending: apart: ham holds playout.1, and no other host offers a playout that matches"},
		"fragile": {slots: []stream.InstanceStatus{runs}, fragile: []stream.FragileStatus{{Stream: "s1", Slot: "playout", Instance: "playout.1", Name: "playout", Told: stream.Because(stream.CodeNoOffer, "type", "playout").Told()}},
			want: "fragile warn playout of s1: fragile: it runs, and would have no place again: nobody offers playout"},
	} {
		found := Of(stream.Status{Streams: []stream.StreamStatus{{Key: "s1", Slots: c.slots}}, Fragile: c.fragile}, nil)
		together, _ := Together(found, 10)
		var got []string
		for _, p := range together {
			got = append(got, fmt.Sprintf("%s %s %s: %s", p.Kind, p.Level, p.What, p.Why))
		}
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, text, c.want)
		}
	}
}

func TestProblemsBeginAndEndAndWhatIsShortIsNotTold(t *testing.T) {
	t.Parallel()
	p := func(id string, level stream.Severity, since int64) Problem {
		return Problem{ID: id, Level: level, What: id, Since: since}
	}
	tracker := &Tracker{For: 5 * time.Second}
	var told []string
	see := func(now int64, found ...Problem) {
		for _, c := range tracker.See(now, found) {
			told = append(told, fmt.Sprintf("%d %s %s %s %v", c.At, c.Event, c.Level, c.ID, c.Seconds))
		}
	}
	see(10_000, p("old", stream.Bad, 4000)) // there when it begins to look
	see(11_000, p("old", stream.Bad, 4000), p("short", stream.Warn, 0), p("long", stream.Warn, 0))
	see(13_000, p("old", stream.Bad, 4000), p("long", stream.Warn, 0))
	see(16_000, p("long", stream.Warn, 0))
	see(17_000, p("long", stream.Bad, 0))
	see(18_000, p("long", stream.Bad, 0))
	see(21_000)
	want := []string{"10000 begins bad old 0", "16000 begins warn long 0", "16000 ends bad old 12", "17000 begins bad long 0", "21000 ends bad long 10"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q\nwant %q", told, want)
	}
}

func TestSlotsThatRanTwiceAreForgottenInTime(t *testing.T) {
	t.Parallel()
	var l Losses
	for i := range 30 {
		l.Add(Lost{At: int64(i) * 1000})
	}
	if n := len(l.List(30_000)); n != lostMost {
		t.Errorf("%d are remembered", n)
	}
	if n := len(l.List(lostFor.Milliseconds() + 25_500)); n != 4 {
		t.Errorf("%d are told after 15 minutes, want those of the last seconds", n)
	}
}
