package config

import "slices"

// The older and shorter spellings are rewritten in each file before files are
// merged, so that `capacity` in one file and `global_vars: {capacity}` in
// another are the same key.

// oldNames are other names of keys, by the kind of map they stand in.
var (
	oldChainNames   = map[string]string{"slots": "chain"}
	oldServiceNames = map[string]string{"filter": "stream_filter", "prefer": "stream_prefer"}
)

// globalVars is what may be written under global_vars as well as directly
// under the service.
var globalVars = []string{"capacity", "url", "stream_filter", "stream_prefer"}

// canonical returns the root with every old spelling replaced.
func canonical(root *node, p *problems) *node {
	if root.kind != mapKind {
		return root
	}
	root = rename(root, "", oldChainNames, p)
	return each(root, func(e entry) *node {
		switch {
		case e.key == "sources" && e.value.kind == listKind:
			return eachItem(e.value, func(n *node) *node { return canonicalSource(n, p) })
		case e.key == "sources" && e.value.kind == mapKind:
			return each(e.value, func(e entry) *node { return canonicalSource(e.value, p) })
		case e.key == "services" && e.value.kind == mapKind:
			return each(e.value, func(e entry) *node {
				return canonicalService(e.value, join("services", e.key), p)
			})
		}
		return e.value
	})
}

func canonicalSource(n *node, p *problems) *node {
	n = rename(n, "sources", oldChainNames, p)
	return each(n, func(e entry) *node {
		if e.key != "rules" {
			return e.value
		}
		return eachItem(e.value, func(n *node) *node { return rename(n, "rules", oldChainNames, p) })
	})
}

// canonicalService lifts global_vars.
func canonicalService(n *node, path string, p *problems) *node {
	if n.kind != mapKind {
		return n
	}
	if isOldSource(n) {
		return canonicalSource(n, p)
	}
	n = rename(n, path, oldServiceNames, p)
	globals, ok := n.find("global_vars")
	if !ok {
		return n
	}
	out := &node{kind: mapKind, at: n.at, size: n.size}
	for _, e := range n.entries {
		if e.key != "global_vars" {
			out.entries = append(out.entries, e)
		}
	}
	if globals.value.kind != mapKind {
		if globals.value.kind != nullKind {
			p.add(globals.value.at, join(path, "global_vars"), "a map of keys is expected, but this is %s", globals.value.kind)
		}
		return out
	}
	path = join(path, "global_vars")
	for _, e := range rename(globals.value, path, oldServiceNames, p).entries {
		if !slices.Contains(globalVars, e.key) {
			p.add(e.at, path, "unknown key %q%s", e.key, suggest(e.key, append([]string{"filter", "prefer"}, globalVars...)))
			continue
		}
		if first, twice := out.find(e.key); twice {
			p.add(e.at, path, "%s is given twice: here and directly under the service in line %d", e.key, first.at.line)
			continue
		}
		out.entries = append(out.entries, e)
	}
	return out
}

// rename gives keys their current names.
func rename(n *node, path string, names map[string]string, p *problems) *node {
	if n.kind != mapKind {
		return n
	}
	out := &node{kind: mapKind, at: n.at, size: n.size}
	for _, e := range n.entries {
		if current, old := names[e.key]; old {
			if other, both := n.find(current); both {
				p.add(e.at, path, "%s is an old name of %s, which is given, too, in line %d", e.key, current, other.at.line)
				continue
			}
			e.key = current
		}
		out.entries = append(out.entries, e)
	}
	return out
}

// each rebuilds a map with changed values.
func each(n *node, change func(entry) *node) *node {
	if n.kind != mapKind {
		return n
	}
	out := &node{kind: mapKind, at: n.at, size: n.size}
	for _, e := range n.entries {
		e.value = change(e)
		out.entries = append(out.entries, e)
	}
	return out
}

func eachItem(n *node, change func(*node) *node) *node {
	if n.kind != listKind {
		return n
	}
	out := &node{kind: listKind, at: n.at, size: n.size}
	for _, item := range n.items {
		out.items = append(out.items, change(item))
	}
	return out
}
