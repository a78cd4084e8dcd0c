package lua

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The shape of a script decides what its start costs, and each call is a start: Lua
// makes a closure of every function anew, and looks for each local that one uses among
// all that others use, the newest first. So what a script does not use of its includes is
// left out; the functions of an include that is marked lazy are made when the first of
// them is called; and the oldest locals, which nearly all use, stand one level
// further out, where nothing is looked for.

// lazyMark is the line that makes an include lazy. It has functions alone.
const lazyMark = "-- lazy\n"

// outermost is how many functions stand on the outer level.
const outermost = 12

// chunk is a function at the top of a file, or what stands between two of them.
type chunk struct {
	name    string // of the function; empty: other lines
	lazy    string // the include that is made when it is used; empty: at the start
	include string // the file that stands here; then there is nothing else
	text    string
	linked  string   // the text without comments, with calls of lazy functions through their includes
	names   []string // of functions that its code has
}

// names are those of all functions, and of the lazy ones the include.
type names struct {
	functions map[string]bool
	lazy      map[string]string
}

// library is every file in chunks, by its name without .lua.
func library(clock Clock) (out map[string][]chunk, known names, err error) {
	out, lazy := map[string][]chunk{}, map[string]string{}
	functions := map[string]bool{}
	for _, pattern := range []string{"*.lua", "include/*.lua"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, known, err
		}
		for _, name := range names {
			raw, err := files.ReadFile(name)
			if err != nil {
				return nil, known, err
			}
			text := string(raw)
			if clock == Test {
				text = testClock.Replace(text)
			}
			cut, err := chunks(strings.TrimSuffix(name, ".lua"), text)
			if err != nil {
				return nil, known, fmt.Errorf("%s: %w", name, err)
			}
			out[strings.TrimSuffix(name, ".lua")] = cut
			for _, c := range cut {
				functions[c.name] = true
				if c.lazy != "" && c.name != "" {
					lazy[c.name] = c.lazy
				}
			}
		}
	}
	known = names{functions, lazy}
	for name, cut := range out {
		for i := range cut {
			if err := cut[i].link(known); err != nil {
				return nil, known, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return out, known, nil
}

// chunks cuts a file: a function begins with "local function" at the begin of a line, and
// ends with that line, or else with "end" at the begin of one.
func chunks(file, text string) ([]chunk, error) {
	lazy := ""
	if strings.Contains(text, lazyMark) {
		lazy = strings.TrimPrefix(file, "include/")
	}
	var out []chunk
	for text != "" {
		line, rest := cutLine(text)
		include, stands := strings.CutPrefix(line, includeMark)
		name, function := functionOf(line)
		n := len(line)
		switch last := len(out) - 1; {
		case stands:
			out = append(out, chunk{include: strings.TrimRight(include, "\n")})
		case function:
			code, _, _ := strings.Cut(line, "--")
			if !strings.HasSuffix(strings.TrimRight(code, " \n"), " end") {
				end := strings.Index(rest, "\nend\n")
				if end < 0 {
					return nil, fmt.Errorf("the function %s has no end at the begin of a line", name)
				}
				n += end + len("\nend\n")
			}
			out = append(out, chunk{name: name, text: text[:n], lazy: lazy})
		case last >= 0 && out[last].name == "" && out[last].include == "":
			out[last].text += line
		default:
			out = append(out, chunk{text: line, lazy: lazy})
		}
		text = text[n:]
	}
	return out, nil
}

func cutLine(text string) (line, rest string) {
	n := strings.IndexByte(text, '\n') + 1
	if n == 0 {
		n = len(text)
	}
	return text[:n], text[n:]
}

// functionOf is the name of the function that begins with a line.
func functionOf(line string) (string, bool) {
	head, ok := strings.CutPrefix(line, "local function ")
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(head, "(")
	return name, ok
}

// link finds the functions that a chunk names, and has it call those of lazy includes
// through these.
func (c *chunk) link(known names) error {
	if group := known.lazy[c.name]; group != c.lazy && group != "" {
		return fmt.Errorf("it has a function %s as the lazy include %s has: nothing else may have its name", c.name, group)
	}
	var out strings.Builder
	out.Grow(len(c.text))
	c.names = nil
	from, at, before := 0, 0, "" // what is not written yet, and the name before
	for at < len(c.text) {
		n := lexeme(c.text[at:])
		part := c.text[at : at+n]
		at += n
		switch {
		case strings.HasPrefix(part, "--"):
			out.WriteString(c.text[from : at-n])
			from = at
		case !inName(part[0]):
			// No name of a function.
		case known.functions[part]:
			if part != c.name && !slices.Contains(c.names, part) {
				c.names = append(c.names, part)
			}
			group := known.lazy[part]
			if group == "" || group == c.lazy {
				break
			}
			if before == "in" {
				return fmt.Errorf("%s of the lazy include %s walks, which not every Lua can call so: have it give a list for ipairs", part, group)
			}
			if !strings.HasPrefix(c.text[at:], "(") {
				return fmt.Errorf("%s of the lazy include %s can only be called, and nothing else may have its name", part, group)
			}
			out.WriteString(c.text[from:at-n] + "lazy_" + group + "()." + part)
			from = at
		}
		if inName(part[0]) {
			before = part
		} else if strings.TrimSpace(part) != "" {
			before = ""
		}
	}
	out.WriteString(c.text[from:])
	c.linked = out.String()
	if c.lazy != "" && c.name == "" && strings.TrimSpace(c.linked) != "" {
		return fmt.Errorf("it is lazy, so it has functions alone, and not %s", strings.TrimSpace(c.linked))
	}
	return nil
}

// lexeme is the length of what a text begins with: a comment, a string, a name or number, with
// the dot or colon before it if there is one, or something else of one byte.
func lexeme(text string) int {
	switch {
	case strings.HasPrefix(text, "--"):
		if n := strings.IndexByte(text, '\n'); n >= 0 {
			return n
		}
		return len(text)
	case text[0] == '\'' || text[0] == '"':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case text[0]:
				return i + 1
			}
		}
		return len(text)
	case strings.HasPrefix(text, ".."):
		return 2
	case text[0] == '.' || text[0] == ':' || inName(text[0]):
		n := 1
		for n < len(text) && inName(text[n]) {
			n++
		}
		return n
	}
	return 1
}

func inName(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// used are the chunks that are no functions, and the functions that these call, however deep.
func used(all []chunk) []chunk {
	function := make(map[string][]string, len(all))
	for _, c := range all {
		function[c.name] = c.names
	}
	calls := map[string]bool{}
	var follow func(names []string)
	follow = func(names []string) {
		for _, w := range names {
			if more, ok := function[w]; ok && !calls[w] {
				calls[w] = true
				follow(more)
			}
		}
	}
	for _, c := range all {
		if c.name == "" {
			follow(c.names)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c chunk) bool { return c.name != "" && !calls[c.name] })
}

// shape is the text of a script that consists of all.
func shape(all []chunk) string {
	var out strings.Builder
	all = used(all)
	functions, inner := 0, false
	for i := 0; i < len(all); i++ {
		if functions == outermost && !inner {
			out.WriteString("return (function()\n")
			inner = true
		}
		lazy := all[i].lazy
		if lazy == "" {
			out.WriteString(all[i].linked)
			if all[i].name != "" {
				functions++
			}
			continue
		}
		var made strings.Builder
		var names []string
		for ; i < len(all) && all[i].lazy == lazy; i++ {
			if all[i].name != "" {
				made.WriteString(all[i].linked)
				names = append(names, all[i].name+" = "+all[i].name)
			}
		}
		i--
		if names != nil {
			functions++
			fmt.Fprintf(&out, "local made_%[1]s\nlocal function lazy_%[1]s()\nif made_%[1]s then return made_%[1]s end\n%[2]smade_%[1]s = { %[3]s }\nreturn made_%[1]s\nend\n",
				lazy, &made, strings.Join(names, ", "))
		}
	}
	if inner {
		out.WriteString("end)()\n")
	}
	return out.String()
}
