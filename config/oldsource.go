package config

import "stream-api/runners/plan"

// isOldSource tells whether an entry of services declares a source, as the
// older spelling has it: source: true, or the plugin that only sources know.
func isOldSource(n *node) bool {
	if e, ok := n.find("source"); ok && e.value.kind == scalarKind && e.value.text == "true" {
		return true
	}
	plugin, ok := n.find("plugin")
	if !ok {
		return false
	}
	if name, ok := plugin.value.find("name"); ok {
		plugin = name
	}
	return plugin.value.kind == scalarKind && plugin.value.text == PluginPoll
}

// fromOldSource rewrites such an entry as one of sources: its name is the
// type, its stream_vars are what dependants see, and their url is polled.
func fromOldSource(e entry) *node {
	out := &node{kind: mapKind, at: e.at}
	vars, published := &node{kind: mapKind, at: e.at}, &node{}
	named := false
	for _, field := range e.value.entries {
		switch field.key {
		case "source":
			continue
		case "plugin":
			if name, ok := field.value.find("name"); ok && len(field.value.entries) == 1 {
				field.value = name.value
			}
		case "stream_vars":
			field.key = "stream"
			published = field.value
		case "vars":
			vars = field.value
			continue
		case "name":
			named = true
		}
		out.entries = append(out.entries, field)
	}
	if !named {
		out.entries = append(out.entries, entry{key: "name", at: e.at, value: &node{kind: scalarKind, at: e.at, text: e.key}})
	}
	if url, ok := published.find("url"); ok && vars.kind == mapKind && pollsIn(e.value) {
		if _, have := vars.find("url"); !have {
			vars = &node{kind: mapKind, at: vars.at, entries: append(append([]entry(nil), vars.entries...), url)}
		}
	}
	out.entries = append(out.entries, entry{key: "vars", at: vars.at, value: vars})
	return out
}

func pollsIn(n *node) bool {
	plugin, ok := n.find("plugin")
	if !ok {
		return false
	}
	if name, ok := plugin.value.find("name"); ok {
		plugin = name
	}
	return plugin.value.text == PluginPoll
}

// decode reads what the host offers. Entries that declare a source are kept
// for later.
func (s *Services) decode(d *decoder, n *node, path string, _ rules) {
	*s = Services{}
	if n.kind != mapKind {
		d.problem(n.at, path, "a map from service types to services is expected, but this is %s", n.kind)
		return
	}
	for _, e := range n.entries {
		at := join(path, e.key)
		d.index[at] = e
		if e.value.kind == nullKind {
			if !d.warnings.about(at) { // that it was taken back says as much
				d.warn(e.at, at, "the service is empty and not offered")
			}
			continue
		}
		if e.value.kind == mapKind && isOldSource(e.value) {
			d.oldSources = append(d.oldSources, e)
			continue
		}
		if err := CheckSlot(e.key); err != nil {
			d.problem(e.at, path, "%v", err)
			continue
		}
		service := &Service{Service: plan.Service{Type: e.key}}
		if e.value.kind == mapKind {
			e.value = withoutFalseSource(e.value)
		}
		d.decode(e.value, at, service, rules{})
		(*s)[e.key] = service
	}
}

// withoutFalseSource drops the old marker where it says what is true anyway.
func withoutFalseSource(n *node) *node {
	out := &node{kind: mapKind, at: n.at}
	for _, e := range n.entries {
		if e.key == "source" && e.value.text == "false" {
			continue
		}
		out.entries = append(out.entries, e)
	}
	return out
}

// addOldSources decodes the sources that services declared.
func (d *decoder) addOldSources(c *Config) {
	for _, e := range d.oldSources {
		path := element("sources", len(c.Sources))
		d.index[path] = e
		s := d.source(fromOldSource(e), path)
		s.old = true
		c.Sources = append(c.Sources, s)
	}
}
