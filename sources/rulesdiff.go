package sources

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/internal/legible"
	"stream-api/stream"
)

// Differences say in a few words, for one line, what other rules would change: "record goes". Empty: nothing.
func (r Rules) Differences(other Rules) string {
	d := differences{}
	d.chain("", r.Chain, other.Chain)
	d.items("", r.Chain, other.Chain, r.Items, other.Items)
	d.names("stream", "streams", keysOf(r.Streams), keysOf(other.Streams))
	d.rules(r.Rules, other.Rules)
	for _, one := range []struct{ what, was, is string }{
		{"match", r.Match, other.Match}, {"strip", r.Strip, other.Strip}, {"pull", r.Pull, other.Pull}, {"gone_after", r.GoneAfter, other.GoneAfter},
		{"priority", fmt.Sprint(r.Priority), fmt.Sprint(other.Priority)}, {"rank", cmp.Or(r.Rank, "0"), cmp.Or(other.Rank, "0")},
	} {
		if one.was != one.is {
			d.say("%s %s becomes %s", one.what, orNone(one.was), orNone(one.is))
		}
	}
	d.names("expected stream", "expected streams", r.Expect, other.Expect)
	if !maps.Equal(r.Stream, other.Stream) {
		d.say("what dependants see of the source changes")
	}
	if was, is := stream.Labels(r.Labels).String(), stream.Labels(other.Labels).String(); was != is {
		d.say("labels %s become %s", orNone(was), orNone(is))
	}
	if len(d.said) == 0 && r.Encode() != other.Encode() {
		d.say("variables change")
	}
	return d.String()
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// differences gathers them; what goes comes first, as it ends something.
type differences struct{ said []string }

func (d *differences) say(format string, args ...any) {
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

// toldDifferences bounds how many are told in one line, and toldBytes how long each is.
const (
	toldDifferences = 6
	toldBytes       = 120
)

func (d *differences) String() string {
	more := ""
	if len(d.said) > toldDifferences {
		more = fmt.Sprintf(", and %d more", len(d.said)-toldDifferences)
	}
	said := slices.Clone(d.said[:min(len(d.said), toldDifferences)])
	for i, text := range said {
		said[i] = stream.Shown(text) // before it is cut: half a URL does not look like one
		if len(said[i]) > toldBytes {
			said[i] = legible.Cut(said[i], toldBytes) + "…"
		}
	}
	return strings.Join(said, ", ") + more
}

// names tells which of a list go and which come, a few of them by name.
func (d *differences) names(one, many string, was, is []string) {
	for _, way := range []struct {
		word, verb string
		of         []string
	}{{"goes", "go", without(was, is)}, {"comes", "come", without(is, was)}} {
		if n := len(way.of); n > 3 {
			d.say("%d %s %s", n, many, way.verb)
			continue
		}
		for _, name := range way.of {
			d.say("%s %s %s", one, name, way.word)
		}
	}
}

func (d *differences) chain(of string, was, is []string) {
	before := len(d.said)
	for _, slot := range without(was, is) {
		d.say("%s%s goes", of, slot)
	}
	for _, slot := range without(is, was) {
		d.say("%s%s comes", of, slot)
	}
	if len(d.said) == before && !slices.Equal(was, is) {
		d.say("%sthe chain has another order", of)
	}
}

// items compares what two chains say of the slots that both have, and their jobs.
func (d *differences) items(of string, was, is []string, before, after stream.Items) {
	for _, slot := range was {
		a, b := before[slot], after[slot]
		switch {
		case !slices.Contains(is, slot) || a.Equal(b):
		case before.Type(slot) != after.Type(slot):
			d.say("%s%s becomes of type %s", of, slot, after.Type(slot))
		default:
			d.say("%s%s changes", of, slot)
		}
	}
	for _, job := range without(before.Jobs(), after.Jobs()) {
		d.say("%sjob %s goes", of, job)
	}
	for _, job := range after.Jobs() {
		switch {
		case !before.IsJob(job):
			d.say("%sjob %s comes", of, job)
		case !before[job].Equal(after[job]):
			d.say("%sjob %s changes", of, job)
		}
	}
}

// rules compares those that match by the same expression.
func (d *differences) rules(was, is []WrittenRule) {
	matches := func(rules []WrittenRule) (out []string) {
		for _, r := range rules {
			out = append(out, r.Match)
		}
		return out
	}
	before := len(d.said)
	d.names("rule", "rules", matches(was), matches(is))
	for _, r := range was {
		at := slices.IndexFunc(is, func(other WrittenRule) bool { return other.Match == r.Match })
		if at < 0 {
			continue
		}
		other := is[at]
		switch {
		case (r.Chain == nil) != (other.Chain == nil) || !slices.Equal(r.Chain, other.Chain):
			d.chain("rule "+r.Match+": ", r.Chain, other.Chain)
		case !sameText(r.Items, other.Items):
			d.items("rule "+r.Match+": ", r.Chain, other.Chain, r.Items, other.Items)
		case !sameText(r, other):
			d.say("rule %s changes", r.Match)
		}
	}
	if len(d.said) == before && !sameText(was, is) {
		d.say("rules have another order")
	}
}

// without are the items of a that are not in b, in a's order.
func without(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, item := range b {
		in[item] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(item string) bool { return in[item] })
}

func keysOf(list []FixedStream) (keys []string) {
	for _, one := range list {
		keys = append(keys, one.Key)
	}
	return keys
}

func sameText(a, b any) bool { return asJSON(a) == asJSON(b) }

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and lists of them always marshal
	}
	return string(text)
}
