package stream

import "strings"

// The names that are joined of others, as they stand in keys of the store, in ids
// of tasks and in messages. No part has the separator: a type is made of letters,
// digits and '_', a key has '/' and no ':' or '|', an instance ends with whatever
// its host is called.

// Member is <key>|<instance>: an instance in a queue, the outbox, the moves.
func Member(key, instance string) string { return key + "|" + instance }

// SplitMember reads a Member; ok is false for what a hand wrote.
func SplitMember(s string) (key, instance string, ok bool) {
	key, instance, ok = strings.Cut(s, "|")
	return key, instance, ok && CheckKey(key) == nil && CheckInstance(instance) == nil
}

// Row is <type>|<key>|<instance>: what a host holds.
func Row(kind, key, instance string) string { return kind + "|" + Member(key, instance) }

// SplitRow reads a Row, with or without the '+' that stands before that of a sidecar; ok
// is false for what a hand wrote.
func SplitRow(s string) (kind, key, instance string, ok bool) {
	kind, rest, found := strings.Cut(strings.TrimPrefix(s, "+"), "|")
	key, instance, ok = SplitMember(rest)
	return kind, key, instance, found && ok
}

// Path is <key>/<slot> or <key>/<instance>, for messages.
func Path(key, name string) string { return key + "/" + name }

// TaskKey is a key as a part of a task's id, where '/' would break the paths of
// asynqmon. No two keys become the same text.
func TaskKey(key string) string { return strings.ReplaceAll(key, "/", ":") }
