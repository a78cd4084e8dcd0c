package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"

	"stream-api/runners/plan"
	"stream-api/stream"
)

// Services are what this host offers, by type.
type Services map[string]*Service

// Types are the types in alphabetical order.
func (s Services) Types() []string { return slices.Sorted(maps.Keys(s)) }

// Plans are the services as the runner takes them, in the order of Types.
func (s Services) Plans() []plan.Service {
	var out []plan.Service
	for _, t := range s.Types() {
		out = append(out, s[t].Service)
	}
	return out
}

// Service is what this host offers for one type: what the runner takes as it is,
// and the keys that it is made of. Capacity, filter and URL may also be written
// under global_vars.
type Service struct {
	plan.Service
	Plugin Plugin `yaml:"plugin" validate:"required"`
	// URLTemplate is what URL is made of: url, else stream_vars.url if that needs
	// nothing but the host.
	URLTemplate stream.Template `yaml:"url" scopes:"host"`
	// StreamFilter lets only matching streams in; nil: all.
	StreamFilter *regexp.Regexp `yaml:"stream_filter"`
	// StreamPrefer draws matching streams here first; nil: no opinion.
	StreamPrefer *regexp.Regexp `yaml:"stream_prefer"`
	// Confine is how far its child is kept from the host; nil: as the file says
	// for all.
	Confine *Confine `yaml:"confine"`
}

// Plugin is how the service works: static runs nothing, exec runs a program.
type Plugin struct {
	Name string
	// Exec is nil for static.
	Exec *plan.Exec
}

// decodeCommands reads a list of commands. One command may be written as the list
// of its arguments: [curl, -s, …] is [[curl, -s, …]].
func (d *decoder) decodeCommands(n *node, path string, c *plan.Commands, r rules) {
	nested := n.kind == listKind && (len(n.items) == 0 || n.items[0].kind == listKind)
	if !nested && n.kind != mapKind {
		n = &node{kind: listKind, at: n.at, items: []*node{n}}
	}
	var list []plan.Command
	d.decode(n, path, &list, r)
	*c = list
}

// decodeOnChange reads restart, ignore or {signal: NAME}.
func (d *decoder) decodeOnChange(n *node, path string, c *plan.OnChange) {
	const forms = "restart, ignore or {signal: HUP}"
	switch {
	case n.kind == mapKind:
		d.fields(n, path, reflect.ValueOf(c).Elem())
		if c.Do = plan.Signal; c.Signal == "" && len(n.entries) == 0 {
			d.problem(n.at, path, "it says nothing: write "+forms)
		}
	case n.kind != scalarKind:
		d.problem(n.at, path, "%s is expected, but this is %s", forms, n.kind)
	case n.text == string(plan.Restart) || n.text == string(plan.Ignore):
		c.Do = plan.Reaction(n.text)
	case n.text == string(plan.Signal):
		d.problem(n.at, path, "which one? Write {signal: HUP}, or USR1 or USR2: what the program does not heed ends it")
	default:
		d.problem(n.at, path, "%s is not one of %s%s", stream.Quote(n.text), forms, suggest(n.text, []string{"restart", "ignore"}))
	}
}

func (p *Plugin) decode(d *decoder, n *node, path string, _ rules) {
	name, at, rest := n.text, n.at, &node{kind: mapKind, at: n.at}
	switch n.kind {
	case scalarKind:
	case mapKind:
		e, ok := n.find("name")
		if !ok {
			d.problem(n.at, path, "name is missing: static or exec")
			return
		}
		d.index[join(path, "name")] = e
		name, at = e.value.text, e.value.at
		for _, e := range n.entries {
			if e.key != "name" {
				rest.entries = append(rest.entries, e)
			}
		}
	default:
		d.problem(n.at, path, "static is expected, or a map {name: exec, path: …}, but this is %s", n.kind)
		return
	}
	switch p.Name = name; name {
	case PluginStatic:
		for _, e := range rest.entries {
			d.problem(e.at, join(path, e.key), "plugin static runs nothing, so %s has no meaning here", e.key)
		}
	case PluginExec:
		p.Exec = defaultExec()
		d.decode(rest, path, p.Exec, rules{})
	case PluginPoll:
		d.problem(at, path, "plugin poll belongs to a source: write it under sources:, or add source: true")
	default:
		d.problem(at, path, "%s is no plugin of a service: static or exec%s", stream.Quote(name), suggest(name, []string{PluginStatic, PluginExec}))
	}
}
