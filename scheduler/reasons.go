package scheduler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"stream-api/store"
	"stream-api/stream"
)

// offer is one service of a type, and whether its host may take work.
type offer struct {
	store.ServiceRecord
	hostState stream.HostState
}

// offersOf are the services of a type on all hosts, in the order of hosts.
func offersOf(t string, hosts []store.HostRecord) []offer {
	var out []offer
	for _, h := range hosts {
		for _, v := range h.Services {
			if v.Type == t {
				out = append(out, offer{ServiceRecord: v, hostState: h.State})
			}
		}
	}
	return out
}

// situation is all that explains why one slot waits.
type situation struct {
	slot   store.Circumstances
	rules  []classRule // of its type
	offers []offer     // of its type
	chain  chainView   // zero unless the slot waits for variables
}

// explain says why the slot waits, in words for people, what is missing and
// where, and in one word for metrics. Empty: nothing is in its way, the next pass
// places it.
func explain(v situation) (reason, why string) {
	t := v.slot.Type
	if len(v.offers) == 0 {
		return "nobody offers " + t, stream.WhyNoService
	}
	matching, problems := v.matching()
	if len(matching) == 0 {
		if len(problems) > 0 {
			return list(problems, "; "), stream.WhyNoService
		}
		return noFilter(t, len(v.offers)), stream.WhyNoService
	}
	prefix := ""
	if v.slot.Pin != "" {
		prefix = "pinned to " + v.slot.Pin + ": "
		matching = slices.DeleteFunc(matching, func(o offer) bool { return o.Host != v.slot.Pin })
		if len(matching) == 0 {
			return prefix + "it offers no " + t + " that matches this stream", stream.WhyPinned
		}
	}
	ready, needs := v.ready(matching)
	if len(ready) == 0 {
		return prefix + v.chain.explainNeeds(v.slot.Slot, needs), stream.WhyNeeds
	}
	reason, why = v.explainRoom(ready)
	if prefix != "" {
		why = stream.WhyPinned
	}
	return prefixed(prefix, reason), why
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// matching are the services whose filter admits the stream, and what is wrong
// with those that cannot be asked.
func (v situation) matching() (out []offer, problems []string) {
	rules := v.byClass()
	for _, o := range v.offers {
		rule := rules[o.Class]
		switch {
		case rule != nil:
			if _, ok := rule.Admits(v.slot.Key); ok {
				out = append(out, o)
			}
		case o.Problem != "":
			problems = append(problems, nonsense(o))
		}
	}
	return out, problems
}

func (v situation) byClass() map[string]*stream.Rule {
	out := make(map[string]*stream.Rule, len(v.rules))
	for _, r := range v.rules {
		out[r.id] = r.rule
	}
	return out
}

// ready are the services all of whose needs are published; if there is none,
// needs are those of the service that misses the fewest.
func (v situation) ready(matching []offer) (out []offer, needs []stream.Need) {
	rules := v.byClass()
	for _, o := range matching {
		missing := unmet(rules[o.Class], v.slot.Published)
		if len(missing) == 0 {
			out = append(out, o)
		} else if needs == nil || len(missing) < len(needs) {
			needs = missing
		}
	}
	return out, needs
}

// explainRoom says why none of the services that could take the slot does.
func (v situation) explainRoom(ready []offer) (reason, why string) {
	var full, away, cooling, broken []string
	for _, o := range ready {
		_, avoided := v.slot.Avoid[o.Host]
		switch {
		case o.Problem != "":
			broken = append(broken, nonsense(o))
		case o.State != stream.Up:
			away = append(away, o.Host+" "+o.why())
		case avoided && v.slot.Slot == stream.OwnSlot(v.slot.Slot):
			cooling = append(cooling, o.Host)
		case avoided: // a successor waits for another host than its own
		case !o.HasRoom():
			full = append(full, fmt.Sprintf("%d/%d", o.Used, o.Seats))
		default:
			return "", ""
		}
	}
	why = stream.WhyNoService
	var parts []string
	if len(cooling) > 0 {
		parts, why = append(parts, coolingDown(v.slot, cooling)), stream.WhyCooldown
	}
	if len(full) > 0 {
		parts, why = append(parts, allFull(v.slot.Type, full, len(full) == len(ready))), stream.WhyFull
	}
	if len(away) > 0 {
		parts = append(parts, "not up: "+list(away, ", "))
	}
	if len(broken) > 0 {
		parts = append(parts, list(broken, "; "))
	}
	if len(parts) == 0 {
		return "no other host offers a " + v.slot.Type + " that matches", why
	}
	if len(full) == 0 && len(cooling) == 0 && len(broken) == 0 {
		return fmt.Sprintf("no %s service that matches is up: %s", v.slot.Type, list(away, ", ")), why
	}
	return strings.Join(parts, "; "), why
}

// why says in a word why the service takes nothing.
func (o offer) why() string {
	if o.Paused && o.hostState == stream.Up {
		return "paused"
	}
	return string(o.State)
}

func allFull(t string, figures []string, all bool) string {
	text := "all that match and are up are full: "
	switch {
	case all && len(figures) == 1:
		text = fmt.Sprintf("the only %s service that matches is full: ", t)
	case all:
		text = fmt.Sprintf("all %d %s services that match are full: ", len(figures), t)
	}
	return text + list(figures, ", ")
}

func noFilter(t string, n int) string {
	if n == 1 {
		return "the filter of the only " + t + " service does not match this stream"
	}
	return fmt.Sprintf("no filter of the %d %s services matches this stream", n, t)
}

func nonsense(o offer) string {
	return fmt.Sprintf("service:%s:%s takes nothing: %s", o.Type, o.Host, o.Problem)
}

// failures is how a host that gave up begins its reason.
var failures = regexp.MustCompile(`^\d+ failures?\b`)

// cooled is what coolingDown and explain begin with, before the failure itself.
var cooled = regexp.MustCompile(`^(pinned to [^ ]+: |cooling down on [^ ]+(, [^ ]+)*?( after |: |$))+`)

// coolingDown keeps telling what went wrong. The record has the reason with which
// the slot was given back; this text replaces it, so it repeats the reason.
func coolingDown(c store.Circumstances, hosts []string) string {
	text := "cooling down on " + list(hosts, ", ")
	// Of an earlier try to move it, only what it was cooling down for is news.
	what, again := strings.CutPrefix(c.Reason, "not moved: ")
	if again && !cooled.MatchString(what) {
		what = ""
	}
	// What this function and explain put before it.
	if lead := cooled.FindString(what); lead != "" {
		what, _, _ = strings.Cut(what[len(lead):], "; ")
	} else if strings.HasPrefix(what, "all ") || strings.HasPrefix(what, "the only ") || strings.HasPrefix(what, "on hold") {
		what = ""
	}
	if what == "" && c.Exit != "" {
		what = c.Exit
	}
	switch {
	case what == "":
		return text
	case failures.MatchString(what):
		return text + " after " + what
	}
	return text + ": " + what
}

// maxListed bounds what a reason lists.
const maxListed = 6

func list(items []string, separator string) string {
	if len(items) <= maxListed {
		return strings.Join(items, separator)
	}
	return fmt.Sprintf("%s%s… and %d more", strings.Join(items[:maxListed], separator), separator, len(items)-maxListed)
}
