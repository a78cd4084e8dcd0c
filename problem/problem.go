package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// Problem is one thing that needs somebody, until it is over.
type Problem struct {
	// ID is the same as long as it lasts.
	ID    string          `json:"id" show:"printable"`
	Level stream.Severity `json:"level"` // warn or bad
	// Kind is what becomes of a slot: down, degraded or fragile; empty: it is of something else.
	Kind stream.Condition `json:"kind,omitempty"`
	What string           `json:"what"`
	Why  string           `json:"why"`
	// Since is when it began, store's ms; 0: not known. Until is when it ends by itself; 0: not known.
	Since int64 `json:"since,omitempty"`
	Until int64 `json:"until,omitempty"`

	slot *inSlot // nil: it is of no slot
}

// finder collects what it finds in one picture.
type finder struct{ found []Problem }

func (f *finder) bad(id, what, why string, since int64) {
	f.found = append(f.found, Problem{ID: id, Level: stream.Bad, What: what, Why: why, Since: since})
}

func (f *finder) warn(id, what, why string, since int64) {
	f.found = append(f.found, Problem{ID: id, Level: stream.Warn, What: what, Why: why, Since: since})
}

// Of is all there is, the worst and oldest first, each by itself. lost are the slots that ran twice of late.
func Of(s stream.Status, lost []Lost) []Problem {
	f := &finder{}
	f.store(s)
	for _, v := range lost {
		f.bad(fmt.Sprintf("lost %s %s %d", v.Stream, v.Slot, v.At), v.Slot+" of "+v.Stream+" ran twice",
			v.Host+" ended its own: "+v.Reason+". It had been cut off from Redis, or frozen; a sink that must not see two writers wants on_store_loss: stop", v.At)
	}
	for _, v := range s.Sources {
		f.source(v)
	}
	for _, h := range s.Hosts {
		if h.State == stream.Down && !h.Left {
			f.bad("host "+h.Host, h.Host+" is down", "its lease ended", h.Since)
			continue
		}
		for _, v := range h.Services {
			if v.Code == stream.CodeCheckFails || v.Code == stream.CodeCheckIgnored {
				f.bad("check "+v.Type+" "+h.Host, v.Type+" on "+h.Host, v.Reason, 0)
			}
		}
	}
	for _, v := range s.Streams {
		f.slots(v)
	}
	for _, v := range s.Fragile {
		f.fragile(v)
	}
	f.jobs(s)
	for _, m := range MissingOf(s) {
		f.warn("missing "+m.Key, m.Key+" is missing", "source "+m.Source+" expects it and nobody publishes it", 0)
	}
	sorted(f.found)
	return f.found
}

// sorted puts the worst first, of those the oldest. What has no age leads what is bad and ends the rest.
func sorted(list []Problem) {
	age := func(p Problem) int64 {
		switch {
		case p.Since > 0:
			return p.Since
		case p.Level == stream.Bad:
			return 0
		}
		return 1 << 62
	}
	rank := func(p Problem) int {
		if p.Level == stream.Bad {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(age(a), age(b)))
	})
}

// store is what the store itself suffers from, or refuses.
func (f *finder) store(s stream.Status) {
	refuses := ""
	if h := s.Hold; h != nil {
		f.bad("hold", "On hold: nothing is taken or given", h.Reason, 0)
		f.found[len(f.found)-1].Until, refuses = h.Until, h.Refuses
	}
	for _, v := range s.Aside {
		f.warn("aside "+v.Key, "Key "+v.Key+" was a "+v.Was+" and no "+v.Should,
			"somebody wrote it by hand; what should be in it is made anew. What it held is "+v.Aside+": look at it, then DEL that", 0)
	}
	for _, v := range s.Refused {
		if refuses == "" || refuses != v.Word { // else it is said above
			f.bad("refused "+v.Host+" "+v.What, "Redis refuses "+v.What+" of "+v.Host, v.Answer+"; "+v.Do, v.At)
		}
	}
	for _, v := range s.Troubles {
		f.warn("trouble "+v.Host, v.Host+": "+v.What, v.Do, 0)
	}
}

// jobsWait is how long a job may wait or run until somebody is told.
const jobsWait = 6 * time.Hour

// jobs are those that nobody but an operator can help, and those that take very long.
func (f *finder) jobs(s stream.Status) {
	if s.Jobs == nil {
		return
	}
	if n := s.Jobs.Failed; n > 0 {
		f.bad("jobs failed", fmt.Sprintf("%d %s failed", n, plural(n, "job has", "jobs have")), "they are not tried again by themselves: stream-api jobs ls --failed", 0)
	}
	if since := s.Jobs.Oldest; since > 0 && s.At-since > jobsWait.Milliseconds() {
		f.warn("jobs old", "A job is not done for long", "it waits for room, for its host, or runs: stream-api jobs ls", since)
	}
}

// source is what a source says of itself and of those that poll it.
func (f *finder) source(v stream.SourceStatus) {
	if n := len(v.Stalled); n > 0 {
		f.bad("stalled "+v.Name, some(v.Stalled)+" of "+v.Name+plural(n, " stands still", " stand still"), "listed, but no bytes come in: a frozen publisher, as a rule", 0)
	}
	if v.Warning != "" {
		f.warn("warning "+v.Name, "Source "+v.Name, v.Warning, 0)
	}
	if v.Over > 0 {
		f.bad("over "+v.Name, fmt.Sprintf("%d new %s of %s refused", v.Over, plural(v.Over, "stream", "streams"), v.Name),
			fmt.Sprintf("such as %s; it announces the %d it may (max_streams)", v.OverExample, v.Max), 0)
	}
	if v.Refused > 0 {
		such := ""
		if v.Example != "" {
			such = "such as " + v.Example + "; "
		}
		f.warn("mounts "+v.Name, fmt.Sprintf("%d %s of %s refused", v.Refused, plural(v.Refused, "mount", "mounts"), v.Name), such+"nothing runs for them", 0)
	}
	for _, d := range v.Differs {
		id, force := "differs "+v.Name+" "+d.Host, "nothing"
		if v.Rules != nil {
			force = v.Rules.String()
		}
		if d.Refused != "" {
			f.bad(id, d.Host+" announces nothing of "+v.Name, d.Refused, d.Since)
		} else {
			f.warn(id, "The file of "+d.Host+" differs from the rules of "+v.Name, d.What+"; in force is "+force+". stream-api sources diff "+v.Name+" "+d.Host, d.Since)
		}
	}
	if v.State != stream.SourceGood {
		why := v.Error
		if why == "" {
			why = "it has not answered yet"
		}
		f.bad("source "+v.Name, "Source "+v.Name+" is unknown", why+"; its streams stay as they are", v.LastGood)
	}
}

// some names the first four.
func some(names []string) string {
	if n := len(names) - 4; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:4], ", "), n)
	}
	return strings.Join(names, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
