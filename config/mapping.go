package config

import "github.com/goccy/go-yaml/ast"

// pairs builds a map. Keys written in it win over those of merge keys; of
// several merged maps the first wins. A key written twice is a problem.
func (b *builder) pairs(values []*ast.MappingValueNode, at place) *node {
	n := &node{kind: mapKind, at: at, size: 1}
	seen := map[string]place{}
	var merged []*node
	for _, pair := range values {
		if pair.Key == nil {
			b.problems.add(b.place(pair), "", "a value without its key")
			continue
		}
		if pair.Key.IsMergeKey() {
			merged = append(merged, b.mergeSources(pair.Value)...)
			continue
		}
		key, ok := b.key(pair.Key)
		if !ok {
			continue
		}
		keyAt := b.place(pair.Key)
		if first, twice := seen[key]; twice {
			b.problems.add(keyAt, "", "key %q is here for the second time; the first is in line %d", key, first.line)
			continue
		}
		seen[key] = keyAt
		value := b.build(pair.Value)
		if value.kind == nullKind && value.text == "" {
			value = &node{at: keyAt, size: 1}
		}
		n.entries = append(n.entries, entry{key: key, at: keyAt, value: value})
		b.grow(n, value)
	}
	for _, source := range merged {
		for _, e := range source.entries {
			if _, have := seen[e.key]; have {
				continue
			}
			seen[e.key] = e.at
			n.entries = append(n.entries, e)
			b.grow(n, e.value)
		}
	}
	return n
}

func (b *builder) key(k ast.MapKeyNode) (string, bool) {
	var inner ast.Node = k
	if explicit, ok := k.(*ast.MappingKeyNode); ok {
		inner = explicit.Value
	}
	n := b.build(inner)
	if n.kind == listKind || n.kind == mapKind {
		b.problems.add(b.place(k), "", "a key must be a word, but is %s", n.kind)
		return "", false
	}
	return n.text, true
}

// mergeSources are the maps named by the value of a merge key.
func (b *builder) mergeSources(value ast.Node) []*node {
	n := b.build(value)
	list := []*node{n}
	if n.kind == listKind {
		list = n.items
	}
	var maps []*node
	for _, m := range list {
		switch m.kind {
		case mapKind:
			maps = append(maps, m)
		case nullKind:
		default:
			b.problems.add(b.place(value), "", "<< takes a map or a list of maps, but this is %s", m.kind)
		}
	}
	return maps
}
