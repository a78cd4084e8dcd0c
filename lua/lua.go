// Package lua holds the scripts that change the store, one file an
// operation, embedded in the binary. The head of each file is its contract:
// what it does, which keys it touches, its arguments, its reply, and why
// running it twice is safe. Package store has one Go file of the same name
// per script and is the only caller.
//
// No script declares KEYS: one step crosses a stream, a host and a type, whose
// keys it must read to learn the next. So the store is one Redis primary (with
// replicas and Sentinel), never a Redis Cluster, and every key a script
// builds stands in its head under "Touches".
//
// A line "-- include: name" is replaced by include/name.lua at load, once a
// script. include/because.lua and include/call.lua stand before all of them, so
// that each may give reasons, and besides what its head says may set keys aside (aside, aside:<key>) and tell it in events.
// The package starts no goroutine.
package lua

import (
	"crypto/sha1" // Redis names scripts by it
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

//go:embed *.lua include/*.lua
var files embed.FS

// Script is one operation, ready to be sent.
type Script struct {
	Name string // as the file, without .lua
	Text string // includes expanded
	SHA  string // hexadecimal, what EVALSHA takes

	parts []chunk
	known names
}

// Clock says where scripts take time and the server's identity from.
type Clock int

// Server is the clock of production. Test reads microseconds from the key
// <ns>test:clock and the run id from <ns>test:run_id, so that a test owns time.
const (
	Server Clock = iota
	Test
)

// Load expands every script. It fails only on a script that names an include
// which does not exist, which a test excludes.
func Load(clock Clock) (map[string]Script, error) {
	names, err := fs.Glob(files, "*.lua")
	if err != nil {
		return nil, err
	}
	all, known, err := library(clock)
	if err != nil {
		return nil, err
	}
	scripts := make(map[string]Script, len(names))
	for _, file := range names {
		name, seen := strings.TrimSuffix(file, ".lua"), map[string]bool{}
		var parts []chunk
		for _, part := range []string{"include/because", "include/call", name} {
			if parts, err = expand(parts, all, part, seen); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		scripts[name] = script(name, parts, known)
	}
	return scripts, nil
}

func script(name string, parts []chunk, known names) Script {
	text := shape(parts)
	sum := sha1.Sum([]byte(text))
	return Script{Name: name, Text: text, SHA: hex.EncodeToString(sum[:]), parts: parts, known: known}
}

// Altered is the script with another text in the place of one that it, its includes
// counted, has once as it is written. It is for tests, which take guards out so.
func (s Script) Altered(old, now string) (Script, error) {
	parts, n := slices.Clone(s.parts), 0
	for i, c := range parts {
		if !strings.Contains(c.text, old) {
			continue
		}
		n += strings.Count(c.text, old)
		parts[i].text = strings.Replace(c.text, old, now, 1)
		if err := parts[i].link(s.known); err != nil {
			return Script{}, err
		}
	}
	if n != 1 {
		return Script{}, fmt.Errorf("script %s has this text %d times, want once:\n%s", s.Name, n, old)
	}
	return script(s.Name, parts, s.known), nil
}

// Names lists the scripts in alphabetical order.
func Names(scripts map[string]Script) []string {
	return slices.Sorted(maps.Keys(scripts))
}

const includeMark = "-- include: "

// expand adds a file's chunks to out, with its includes where they stand first.
func expand(out []chunk, all map[string][]chunk, file string, seen map[string]bool) ([]chunk, error) {
	parts, ok := all[file]
	if !ok {
		return nil, fmt.Errorf("%s does not exist", file)
	}
	for _, c := range parts {
		if c.include == "" {
			out = append(out, c)
			continue
		}
		if seen[c.include] {
			continue
		}
		seen[c.include] = true
		var err error
		if out, err = expand(out, all, "include/"+c.include, seen); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// testClock puts a test's clock in the place of the server's.
var testClock = strings.NewReplacer(
	"redis.call('TIME')", "{ 0, tonumber(redis.call('GET', ns .. 'test:clock')) }",
	"redis.pcall('INFO', 'server')", "'run_id:' .. (redis.call('GET', ns .. 'test:run_id') or 'none')",
)
