package config

import "strings"

// merge lays later over earlier: maps merge, everything else is replaced.
// An empty value replaces too, so a host's file can take back what a common
// file says; report is told where.
func merge(earlier, later *node, path string, report func(path string, e entry)) *node {
	if earlier.kind != mapKind || later.kind != mapKind {
		return later
	}
	n := &node{kind: mapKind, at: later.at, size: 1}
	for _, e := range earlier.entries {
		if over, ok := later.find(e.key); ok {
			if over.value.kind == nullKind && (e.value.kind == mapKind || e.value.kind == listKind) {
				report(join(path, e.key), over)
			}
			e = entry{key: e.key, at: over.at, value: merge(e.value, over.value, join(path, e.key), report)}
		}
		n.entries = append(n.entries, e)
	}
	for _, e := range later.entries {
		if _, ok := earlier.find(e.key); !ok {
			n.entries = append(n.entries, e)
		}
	}
	return n
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// extensionPrefix begins the top-level keys that hold anchors only.
const extensionPrefix = "x-"

// withoutExtensions drops the top-level keys nobody reads.
func withoutExtensions(root *node) *node {
	n := &node{kind: root.kind, at: root.at, size: root.size}
	for _, e := range root.entries {
		if !strings.HasPrefix(e.key, extensionPrefix) {
			n.entries = append(n.entries, e)
		}
	}
	return n
}
