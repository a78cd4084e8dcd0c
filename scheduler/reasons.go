package scheduler

import (
	"fmt"
	"slices"
	"strconv"
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

// explain says why the slot waits, what is missing and where. None: nothing is in
// its way, the next pass places it.
func explain(v situation) stream.Reason {
	t := v.slot.Type
	if len(v.offers) == 0 {
		return stream.Because(stream.CodeNoOffer, "type", t)
	}
	matching, broken := v.matching()
	if len(matching) == 0 {
		if len(broken) > 0 {
			return stream.Because(stream.CodeNonsense, "broken", list(broken, "; "))
		}
		return stream.Because(stream.CodeNoMatch, "type", t, "services", strconv.Itoa(len(v.offers)))
	}
	if v.slot.Pin == "" {
		return v.explainAmong(matching)
	}
	matching = slices.DeleteFunc(matching, func(o offer) bool { return o.Host != v.slot.Pin })
	why := stream.Because(stream.CodePinnedOff, "type", t)
	if len(matching) > 0 {
		why = v.explainAmong(matching)
	}
	if why.IsZero() {
		return why
	}
	return stream.Because(stream.CodePinned, "host", v.slot.Pin).After(why)
}

// explainAmong says why none of some services takes the slot.
func (v situation) explainAmong(matching []offer) stream.Reason {
	ready, needs := v.ready(matching)
	if len(ready) == 0 {
		return v.chain.explainNeeds(v.slot.Slot, needs)
	}
	return v.explainRoom(ready)
}

// matching are the services whose filter admits the stream, and what is wrong
// with those that cannot be asked.
func (v situation) matching() (out []offer, broken []string) {
	rules := v.byClass()
	for _, o := range v.offers {
		rule := rules[o.Class]
		switch {
		case rule != nil:
			if _, ok := rule.Admits(v.slot.Key); ok {
				out = append(out, o)
			}
		case !o.Reason.IsZero():
			broken = append(broken, nonsense(o))
		}
	}
	return out, broken
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
func (v situation) explainRoom(ready []offer) stream.Reason {
	var full, away, cooling, broken []string
	for _, o := range ready {
		_, avoided := v.slot.Avoid[o.Host]
		switch {
		case !o.Reason.IsZero():
			broken = append(broken, nonsense(o))
		case o.State != stream.Up:
			away = append(away, o.Host+" "+o.why())
		case avoided && v.slot.Slot == stream.OwnSlot(v.slot.Slot):
			cooling = append(cooling, o.Host)
		case avoided: // a successor waits for another host than its own
		case !o.HasRoom():
			full = append(full, fmt.Sprintf("%d/%d", o.Used, o.Seats))
		default:
			return stream.Reason{}
		}
	}
	t := v.slot.Type
	why := stream.Because(stream.CodeNoOther, "type", t)
	switch {
	case len(full) > 0:
		why = stream.Because(stream.CodeFull, "type", t, "full", list(full, ", "))
		if len(full) == len(ready) {
			why = why.With("services", strconv.Itoa(len(full)))
		}
	case len(cooling) > 0:
		why = stream.Because(stream.CodeCooldown)
	case len(away) > 0:
		why = stream.Because(stream.CodeNotUp, "type", t)
	case len(broken) > 0:
		why = stream.Because(stream.CodeNonsense)
	}
	why = why.With("cooling", list(cooling, ", "), "away", list(away, ", "), "broken", list(broken, "; "))
	if len(cooling) > 0 {
		why = why.After(failure(v.slot))
	}
	return why
}

// why says in a word why the service takes nothing.
func (o offer) why() string {
	if o.Paused && o.hostState == stream.Up {
		return "paused"
	}
	return string(o.State)
}

func nonsense(o offer) string {
	return fmt.Sprintf("service:%s:%s takes nothing: %s", o.Type, o.Host, o.Reason)
}

// failure is what the slot cools down for: the reason with which it was given back.
// What was noted since carries it along; where that is lost, the last exit tells.
func failure(c store.Circumstances) stream.Reason {
	why, waited := c.Reason, false
	if why.Code == stream.CodeNotMoved {
		why, waited = why.Cause(), true
	}
	for why.Code.Waits() != stream.WhyOther && why.Code != stream.CodeOnHold {
		why, waited = why.Cause(), false
	}
	if waited || why.Code == stream.CodeOnHold {
		why = stream.Reason{} // why it was not moved, or not placed, is no failure
	}
	if why.IsZero() && c.Exit != "" {
		return stream.Because(stream.CodeExited, "exit", c.Exit)
	}
	return why
}

// maxListed bounds what a reason lists.
const maxListed = 6

func list(items []string, separator string) string {
	if len(items) <= maxListed {
		return strings.Join(items, separator)
	}
	return fmt.Sprintf("%s%s… and %d more", strings.Join(items[:maxListed], separator), separator, len(items)-maxListed)
}
