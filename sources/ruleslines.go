package sources

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// Lines are the rules as a file could have them, a line for each thing that can differ, with secrets masked.
func (r Rules) Lines() []string {
	var out []string
	add := func(indent, name string, value any) { out = append(out, indent+name+": "+asJSON(value)) }
	list := func(indent, name string, items []string) {
		if len(items) == 0 {
			out = append(out, indent+name+": []")
			return
		}
		out = append(out, indent+name+":")
		for _, item := range items {
			out = append(out, indent+"  - "+item)
		}
	}
	if r.Match != "" {
		add("", "match", r.Match)
	}
	if r.Strip != "" {
		add("", "strip", r.Strip)
	}
	if r.Pull != "" {
		add("", "pull", stream.Shown(r.Pull))
	}
	add("", "gone_after", r.GoneAfter)
	for _, name := range slices.Sorted(maps.Keys(r.Stream)) {
		add("", "stream."+name, stream.ShownVar(name, r.Stream[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		add("", "labels."+name, r.Labels[name])
	}
	if len(r.Streams) > 0 {
		out = append(out, "streams:")
		for _, one := range r.Streams {
			out = append(out, "  - "+asJSON(FixedStream{one.Key, shownVars(one.Vars)}))
		}
	}
	list("", "chain", chainLines(r.Chain, r.Items))
	add("", "priority", r.Priority)
	add("", "rank", r.Rank)
	if len(r.Rules) > 0 {
		out = append(out, "rules:")
	}
	for _, one := range r.Rules {
		add("  - ", "match", one.Match)
		if one.Chain != nil {
			list("    ", "chain", chainLines(one.Chain, one.Items))
		}
		if one.Priority != nil {
			add("    ", "priority", *one.Priority)
		}
		for _, name := range slices.Sorted(maps.Keys(one.Vars)) {
			add("    ", "vars."+name, stream.ShownVar(name, one.Vars[name]))
		}
	}
	if len(r.Expect) > 0 {
		list("", "expect", r.Expect)
	}
	return out
}

// chainLines are the slots of a chain, a mere name where there is no item, and its jobs.
func chainLines(chain []string, items stream.Items) (out []string) {
	for _, slot := range chain {
		item, more := items[slot]
		if !more {
			out = append(out, slot)
			continue
		}
		item.Vars = shownVars(item.Vars)
		out = append(out, asJSON(struct {
			Slot string `json:"slot"`
			stream.Item
		}{slot, item}))
	}
	for _, job := range items.Jobs() {
		item := items[job]
		item.Vars = shownVars(item.Vars)
		out = append(out, asJSON(struct {
			Job string `json:"job"`
			stream.Item
		}{job, item}))
	}
	return out
}

func shownVars(vars map[string]string) map[string]string {
	out := make(map[string]string, len(vars))
	for name, value := range vars {
		out[name] = stream.ShownVar(name, value)
	}
	return out
}

// Compare is what turns lines into others: each begins with "  ", "- " or "+ ". Lines that begin and end both alike are
// matched first, so that the square of their number is paid for what changed alone.
func Compare(was, is []string) []string {
	var head, tail []string
	for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
		head, was, is = append(head, "  "+was[0]), was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		tail = append(tail, "  "+was[len(was)-1])
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	slices.Reverse(tail)
	return slices.Concat(head, changed(was, is), tail)
}

// widest is how many pairs of lines are compared for the longest common part; beyond that, all go and all come.
const widest = 4_000_000

func changed(was, is []string) (out []string) {
	n, m := len(was), len(is)
	if n*m > widest {
		n, m = 0, 0 // nothing in common is looked for
	}
	common := make([][]int, n+1)
	for i := range common {
		common[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if was[i] == is[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < n && j < m {
		switch {
		case was[i] == is[j]:
			out = append(out, "  "+was[i])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+was[i])
			i++
		default:
			out = append(out, "+ "+is[j])
			j++
		}
	}
	for ; i < len(was); i++ {
		out = append(out, "- "+was[i])
	}
	for ; j < len(is); j++ {
		out = append(out, "+ "+is[j])
	}
	return out
}
