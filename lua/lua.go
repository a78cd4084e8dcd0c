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
	before := ""
	for _, part := range []string{"because", "call"} {
		raw, err := files.ReadFile("include/" + part + ".lua")
		if err != nil {
			return nil, err
		}
		before += string(raw)
	}
	scripts := make(map[string]Script, len(names))
	for _, file := range names {
		text, err := expand(file, clock, map[string]bool{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		text = before + text
		sum := sha1.Sum([]byte(text))
		name := strings.TrimSuffix(file, ".lua")
		scripts[name] = Script{Name: name, Text: text, SHA: hex.EncodeToString(sum[:])}
	}
	return scripts, nil
}

// Names lists the scripts in alphabetical order.
func Names(scripts map[string]Script) []string {
	return slices.Sorted(maps.Keys(scripts))
}

const includeMark = "-- include: "

func expand(file string, clock Clock, seen map[string]bool) (string, error) {
	raw, err := files.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := string(raw)
	if clock == Test {
		text = testClock.Replace(text)
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), includeMark)
		if !ok {
			out.WriteString(line)
			continue
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		part, err := expand("include/"+name+".lua", clock, seen)
		if err != nil {
			return "", err
		}
		out.WriteString(part)
	}
	return out.String(), nil
}

// testClock puts a test's clock in the place of the server's.
var testClock = strings.NewReplacer(
	"redis.call('TIME')", "{ 0, tonumber(redis.call('GET', ns .. 'test:clock')) }",
	"redis.pcall('INFO', 'server')", "'run_id:' .. (redis.call('GET', ns .. 'test:run_id') or 'none')",
)
