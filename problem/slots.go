package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stream-api/stream"
)

// inSlot is what a problem of a slot is said of.
type inSlot struct {
	key, slot, state, why string
	follows               bool // it only waits for another, as a rule one of its stream
	place                 int  // in the order of streams and chains
}

// slow is the speed of ffmpeg below which it falls behind.
const slow = 0.95

// severity is how much an instance is somebody's business; Info for what is as it should be, or on its way. That of a
// reason goes by its code.
func severity(v stream.InstanceStatus) stream.Severity {
	switch v.State {
	case stream.Running:
		switch {
		case v.Phase == stream.Failing:
			return stream.Bad
		case v.Phase != stream.Runs:
			return orInfo(v.Severity)
		case v.Reason != "" && v.Severity != stream.Info:
			return orInfo(v.Severity)
		case isSlow(v):
			return stream.Warn
		}
		return stream.Info
	case stream.Assigned, stream.Stopping:
		return stream.Info
	}
	if v.Code == stream.CodeEachAway {
		return stream.Info // the host is what is to be said, once
	}
	if v.Exit != "" || v.Severity == stream.Bad {
		return stream.Bad
	}
	return stream.Warn
}

func orInfo(s stream.Severity) stream.Severity {
	if s == "" {
		return stream.Info
	}
	return s
}

func isSlow(v stream.InstanceStatus) bool {
	speed, err := strconv.ParseFloat(strings.TrimSuffix(v.Speed, "x"), 64)
	return err == nil && speed < slow
}

// slots are what a stream's slots do not do that they should.
func (f *finder) slots(v stream.StreamStatus) {
	for _, slot := range v.BySlot() {
		condition := slot.Condition()
		several := slot.Wanted > 1 && condition != ""
		if several {
			f.several(v.Key, slot)
		}
		for _, one := range slot.Instances {
			if several && one.Shown() != string(stream.Running) {
				continue // it is part of what is said of its slot
			}
			f.instance(v.Key, one, condition)
		}
	}
}

// instance is an instance that does not do what it should.
func (f *finder) instance(key string, v stream.InstanceStatus, condition stream.Condition) {
	level := severity(v)
	if level != stream.Warn && level != stream.Bad {
		return
	}
	in := &inSlot{key: key, slot: v.Name, state: v.Shown(), why: v.Reason, place: len(f.found)}
	in.follows = follows(v)
	switch {
	case in.why != "":
	case in.state == string(stream.Running):
		in.why = "slower than real time: " + v.Speed
	default:
		in.why = unsaid(v)
	}
	if in.state == string(stream.Running) {
		condition = ""
	}
	f.found = append(f.found, Problem{ID: "slot " + key + " " + v.Instance, Kind: condition, Level: level, What: v.Name + " of " + key, Why: in.said(), Since: v.Since, slot: in})
}

// several is a slot with more than one instance, of which some or all do not run. While
// one does it is a warning, whatever the others do.
func (f *finder) several(key string, slot stream.SlotStatus) {
	level, condition := stream.Info, slot.Condition()
	in := &inSlot{key: key, slot: slot.Slot, state: string(condition), follows: true, place: len(f.found)}
	said := []string{fmt.Sprintf("%d of %d run", slot.Running, slot.Wanted)}
	for _, v := range slot.Waiting {
		said = append(said, v.Name+" "+v.Shown()+": "+orElse(v.Reason, unsaid(v)))
		switch own := severity(v); {
		case own == stream.Bad, own == stream.Warn && level == stream.Info:
			level = own
		}
		in.follows = in.follows && follows(v)
	}
	if condition == stream.SlotDegraded && level == stream.Bad {
		level = stream.Warn
	}
	if level == stream.Info {
		return // they are on their way
	}
	in.why = strings.Join(said, "; ")
	f.found = append(f.found, Problem{ID: "slot " + key + " " + slot.Slot, Kind: condition, Level: level, What: slot.Slot + " of " + key, Why: in.said(), Since: slot.Since(), slot: in})
}

// fragile is an instance that runs and would find no place again.
func (f *finder) fragile(v stream.FragileStatus) {
	in := &inSlot{key: v.Stream, slot: v.Name, state: string(stream.SlotFragile), why: "it runs, and would have no place again: " + v.Reason, place: len(f.found)}
	f.found = append(f.found, Problem{ID: "fragile " + v.Stream + " " + v.Instance, Kind: stream.SlotFragile, Level: stream.Warn, What: v.Name + " of " + v.Stream, Why: in.said(), slot: in})
}

// follows tells that it only waits for another, as a rule one of its stream.
func follows(v stream.InstanceStatus) bool {
	return v.State == stream.Pending && v.Exit == "" && (v.Reason == "" || v.Code == stream.CodeNeeds)
}

// unsaid is why an instance that gives no reason does not run.
func unsaid(v stream.InstanceStatus) string {
	switch v.Shown() {
	case string(stream.Failing):
		return "its child failed"
	case string(stream.Pending):
		return "in line"
	}
	return "on its way"
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (s *inSlot) said() string {
	if s.state == string(stream.Running) {
		return s.why
	}
	return s.state + ": " + s.why
}

// place is where a problem was found, 0 for those of no slot.
func (p Problem) place() int {
	if p.slot == nil {
		return 0
	}
	return p.slot.place
}

// group is what is alike: slots of streams.
type group struct {
	id          string
	slots, keys []string
	level       stream.Severity
	kind        stream.Condition
	why         string
	since       int64
	follows     bool
}

// Together puts together what is alike: one slot of several streams for one reason, then several slots of the same
// streams, which as a rule wait for the first of them: those that follow, or are only in line; and what a source misses.
// At most most of them are given, and how many more there are.
func Together(list []Problem, most int) (out []Problem, more int) {
	out = []Problem{}
	var reasons []*group
	byReason := map[[4]string]*group{}
	missing := map[string][]int{} // source → index of out
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Problem) int { return cmp.Compare(a.place(), b.place()) })
	for _, p := range list {
		switch {
		case p.slot != nil:
			id := [4]string{p.slot.slot, p.slot.state, p.slot.why, string(p.Level)}
			g := byReason[id]
			if g == nil {
				g = &group{slots: []string{p.slot.slot}, level: p.Level, kind: p.Kind, why: p.slot.said(), since: p.Since, follows: p.slot.follows}
				byReason[id] = g
				reasons = append(reasons, g)
			}
			if !slices.Contains(g.keys, p.slot.key) {
				g.keys = append(g.keys, p.slot.key)
			}
			g.since = earlier(g.since, p.Since)
		case strings.HasPrefix(p.ID, "missing "):
			missing[p.Why] = append(missing[p.Why], len(out))
			out = append(out, p)
		default:
			out = append(out, p)
		}
	}
	out = misses(out, missing)
	for _, g := range ofTheSame(reasons) {
		out = append(out, Problem{ID: g.id, Kind: g.kind, Level: g.level, What: some(g.slots) + " of " + some(g.keys), Why: g.why, Since: g.since})
	}
	sorted(out)
	if more = len(out) - most; more > 0 {
		return out[:most], more
	}
	return out, 0
}

// earlier is the earlier of two times, of which 0 is not known.
func earlier(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// worse is the worse of two conditions.
func worse(a, b stream.Condition) stream.Condition {
	for _, c := range []stream.Condition{stream.SlotDown, stream.SlotDegraded, stream.SlotFragile} {
		if a == c || b == c {
			return c
		}
	}
	return ""
}

// ofTheSame puts together the slots of the same streams.
func ofTheSame(reasons []*group) []*group {
	var out []*group
	byKeys := map[string]*group{}
	for _, g := range reasons {
		slices.Sort(g.keys)
		id := strings.Join(g.keys, " ")
		all := byKeys[id]
		if all == nil {
			g.id = "slots " + id
			byKeys[id] = g
			out = append(out, g)
			continue
		}
		all.since, all.kind = earlier(all.since, g.since), worse(all.kind, g.kind)
		if g.level == stream.Bad {
			all.level = stream.Bad
		}
		first := g.slots[0]
		if !slices.Contains(all.slots, first) {
			all.slots = append(all.slots, first)
		}
		switch {
		case g.follows:
		case all.follows:
			all.why, all.follows = g.why, false
		default:
			all.why += "; " + first + " " + g.why
		}
	}
	return out
}

// misses makes one of all that one source misses; at is where they are, by why.
func misses(list []Problem, at map[string][]int) []Problem {
	var gone []int
	for _, places := range at {
		if len(places) < 2 {
			continue
		}
		var keys []string
		for _, i := range places {
			keys = append(keys, strings.TrimPrefix(list[i].ID, "missing "))
		}
		first := &list[places[0]]
		first.What = some(keys) + " are missing"
		first.Why = strings.Replace(first.Why, " expects it and nobody publishes it", " expects them and nobody publishes them", 1)
		gone = append(gone, places[1:]...)
	}
	slices.Sort(gone)
	for _, i := range slices.Backward(gone) {
		list = slices.Delete(list, i, i+1)
	}
	return list
}
