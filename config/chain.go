package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// Chain is which slots streams get, in order. An item of the list is a slot's name or
// a map that says more of the slot.
type Chain struct {
	Slots []string // nil: no chain is given
	// Items of the slots that are written as maps.
	Items stream.Items
	// paths are where the file has them, by slot.
	paths map[string]string
}

// chainItem is an item that is a map. A key of items is a field here, a line in item
// and a field of stream.Item.
type chainItem struct {
	Slot string `yaml:"slot" validate:"required,slot"`
	// Type is the service type that runs it; the slot's name if not given.
	Type string `yaml:"type" validate:"omitempty,slot"`
	// Vars are ${slot:<name>}.
	Vars map[string]stream.Template `yaml:"vars" scopes:"stream source *" validate:"max=64,dive,keys,slotvar,endkeys,max=4096"`
	// Copies is how many instances it has, of which one leads.
	Copies int `yaml:"copies" validate:"gte=1,lte=16"`
	// Apart is what they never share: host, or where a label has one value.
	Apart string `yaml:"apart" validate:"omitempty,apart"`
	// Spread is the label over whose values they are spread.
	Spread string `yaml:"spread" validate:"omitempty,spread"`
	// Near is what it is placed near to: slots of the chain, or source.
	Near oneOrMore `yaml:"near" validate:"max=32,unique,dive,near"`
	// Each is what has one instance by itself: host.
	Each string `yaml:"each" validate:"omitempty,each"`
	// Host is which hosts may run it.
	Host selector `yaml:"host"`
	// With is the slot whose sidecar it is.
	With string `yaml:"with" validate:"omitempty,slot"`

	path string // where it is written
}

func (c *chainItem) setDefaults() { c.Copies = 1 }

// selector is a host's name or a map of labels, each with a value or a list of them.
type selector struct{ stream.Selector }

func (s *selector) decode(d *decoder, n *node, path string, _ rules) {
	switch n.kind {
	case scalarKind:
		s.Name = n.text
	case mapKind:
		s.Labels = map[string]stream.Values{}
		for _, e := range n.entries {
			list := e.value.each()
			for _, v := range list {
				if v.kind != scalarKind {
					d.problem(v.at, join(path, e.key), "a value of a label is expected, or a list of them, but this is %s", v.kind)
				}
				s.Labels[e.key] = append(s.Labels[e.key], v.text)
			}
			if slices.ContainsFunc(list, func(v *node) bool { return v.kind != scalarKind }) {
				continue
			}
			if err := (stream.Selector{Labels: map[string]stream.Values{e.key: s.Labels[e.key]}}).Check(); err != nil {
				d.problem(e.value.at, join(path, e.key), "%v", err)
			}
		}
		return
	default:
		d.problem(n.at, path, "a host's name is expected, or labels such as {site: ham}, but this is %s", n.kind)
		return
	}
	if err := s.Check(); err != nil {
		d.problem(n.at, path, "%v", err)
	}
}

func (c chainItem) item() stream.Item {
	return stream.Item{
		Type: c.Type, Copies: c.Copies, Apart: c.Apart, Each: c.Each, Spread: c.Spread, Near: c.Near,
		Host: c.Host.Selector, With: c.With, Vars: asWritten(c.Vars),
	}
}

func (c *Chain) decode(d *decoder, n *node, path string, _ rules) {
	if n.kind != listKind {
		d.problem(n.at, path, "a list of slots is expected, but this is %s", n.kind)
		return
	}
	c.Slots, c.Items, c.paths = make([]string, 0, len(n.items)), stream.Items{}, map[string]string{}
	first := map[string]place{}
	var told []chainItem
	for i, item := range n.items {
		at := element(path, i)
		d.index[at] = entry{key: at, at: item.at, value: item}
		var slot string
		job := false
		if item.kind == mapKind {
			_, job = item.find("job")
		}
		switch {
		case job:
			slot = d.decodeJob(item, at, c)
		case item.kind == mapKind:
			said := chainItem{path: at}
			d.decode(item, at, &said, rules{})
			if slot = said.Slot; slot != "" && c.paths[slot] == "" {
				c.Items[slot], told = said.item(), append(told, said)
				d.checkItem(said, at)
			}
		case item.kind == scalarKind:
			d.decode(item, at, &slot, rules{validate: "slot"})
		default:
			d.problem(item.at, at, "a slot's name is expected, or a map such as {slot: NAME, type: TYPE}, but this is %s", item.kind)
		}
		if before, twice := first[slot]; twice {
			d.problem(item.at, at, "%s is here for the second time; the first is in line %d; a slot or job that runs what another does has a name of its own: {slot: NAME, type: %s}", stream.Quote(slot), before.line, slot)
			continue
		}
		if slot != "" {
			first[slot], c.paths[slot] = item.at, at
			if !job {
				c.Slots = append(c.Slots, slot)
			}
		}
	}
	for _, said := range told {
		d.checkNear(said, c.Slots)
	}
	if err := c.Items.Check(c.Slots); err != nil && strings.Contains(err.Error(), "instances are too many") {
		d.problem(n.at, path, "%v", err)
	}
	if len(n.items) > stream.MaxChain {
		d.problem(n.at, path, "%d slots are too many: at most %d", len(n.items), stream.MaxChain)
	}
}

// checkItem finds what only the whole item shows. The rest of what stream.Items.Check
// asks for is said by the tags, where the key is.
func (d *decoder) checkItem(c chainItem, path string) {
	if at := join(path, "host"); c.Host.Name == stream.AnyHost {
		d.problem(d.valueAt(at), at, "%s is for jobs, which else run where the child ended; a slot runs on any host without it: take it out", stream.AnyHost)
	}
	if at := join(path, "copies"); c.Each != "" {
		if _, given := d.index[at]; given {
			d.problem(d.at(at), at, "each: host is one instance on every host, so there is nothing for copies to count: take one of them out")
		}
		if at := join(path, "apart"); c.Apart != "" {
			d.problem(d.at(at), at, "each: host is one instance on every host, which are apart by themselves: take apart out")
		}
	} else if at := join(path, "apart"); c.Apart != "" && c.Copies == 1 {
		d.problem(d.valueAt(at), at, "there is one copy, so that nothing can be kept apart from it: say how many there are, such as copies: 2")
	}
	if at := join(path, "spread"); c.Spread != "" && c.Copies == 1 {
		d.problem(d.valueAt(at), at, "there is one copy, so that nothing can be spread: say how many there are, such as copies: 2")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
		for _, ref := range c.Vars[name].Refs() {
			if at := join(join(path, "vars"), name); ref.OfSlot() && ref.Scope == c.Slot {
				d.problem(d.valueAt(at), at, "%s is a variable of this very slot: it would wait for itself for ever", ref)
			}
		}
	}
}

// checkNear finds what a slot is to be near to and is not in the chain in which that is
// written.
func (d *decoder) checkNear(c chainItem, chain []string) {
	for i, target := range c.Near {
		at := element(join(c.path, "near"), i)
		switch {
		case target == c.Slot:
			d.problem(d.valueAt(at), at, "%s is this very slot", target)
		case target != stream.NearSource && stream.CheckNear(target) == nil && !slices.Contains(chain, target):
			d.problem(d.valueAt(at), at, "%s is no slot of this chain%s", stream.Quote(target), suggest(target, append([]string{stream.NearSource}, chain...)))
		}
	}
}

// checkWith finds sidecars that can be none of the chain; source has the items of
// mere names.
func (d *decoder) checkWith(c Chain, source stream.Items) {
	items := c.Items.Under(c.Slots, source)
	for _, slot := range c.Slots {
		err := items.CheckWith(c.Slots, slot)
		if err == nil || stream.CheckType(items[slot].With) != nil { // that was said
			continue
		}
		at := c.paths[slot]
		if own := join(at, "with"); d.index[own].key != "" {
			at = own
		}
		d.problem(d.valueAt(at), at, "%v", err)
	}
}

// String is the chain for people.
func (c Chain) String() string {
	if len(c.Slots) == 0 {
		return "(none)"
	}
	texts := make([]string, len(c.Slots))
	for i, slot := range c.Slots {
		texts[i] = slot + said(c.Items[slot], slot)
	}
	text := strings.Join(texts, " → ")
	for i, job := range c.Items.Jobs() {
		text += []string{"; jobs ", ", "}[min(i, 1)] + saidOfJob(job, c.Items[job])
	}
	return text
}

// said is what an item says besides its slot's name.
func said(item stream.Item, slot string) string {
	var words []string
	if item.Type != "" && item.Type != slot {
		words = append(words, "type "+item.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(item.Vars)) {
		words = append(words, name+"="+oneLine(maskValue(name, item.Vars[name])))
	}
	if !item.Host.IsZero() {
		words = append(words, "on "+oneLine(item.Host.String()))
	}
	if item.Copies > 1 {
		words = append(words, fmt.Sprintf("%d copies", item.Copies))
	}
	if item.Each != "" {
		words = append(words, "one on each "+item.Each)
	}
	if item.Apart != "" {
		words = append(words, "apart by "+item.Apart)
	}
	if item.Spread != "" {
		words = append(words, "spread over "+item.Spread)
	}
	if len(item.Near) > 0 {
		words = append(words, "near "+strings.Join(item.Near, ", "))
	}
	if item.With != "" {
		words = append(words, "with "+item.With)
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", strings.Join(words, ", "))
}
