package config

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"stream-api/stream"
)

// The rules are those of package stream, with two more: what consists of
// references alone is shown, as it names where a secret is and does not hold
// it, and a line keeps its length.

// word is a text up to a mark that ends it: a reference, a dollar that begins
// none, or any character but those of the class.
func word(but string) string { return `(?:\$\{[^}]*\}|\$[^{\s` + but + `]|[^\s$` + but + `])*` }

var (
	onlyRefs   = regexp.MustCompile(`^(?:\$\{[^}]*\})+$`)
	refDefault = regexp.MustCompile(`\$\{(?:env|file):[^}]*?:-([^}]*)\}`)
	// urlPassword ends at the last @ before a blank or the next URL.
	urlPassword = regexp.MustCompile(`://` + word(`/?#:@`) + `:((?:[^\s:]|:[^\s/]|:/[^\s/])+(?::/?)?)@`)
	// torn is a password with a blank in it, which no URL has.
	torn = regexp.MustCompile(`://` + word(`/?#:@`) + `:([^*\s@][^\s@]*\s.*)@`)
	// hostless is one whose @host was forgotten; a port is a number.
	hostless = regexp.MustCompile(`://` + word(`/?#:@`) + `:([^\s/?#:@$"'*0-9][^\s/?#@"',}\]]*)`)
	port     = regexp.MustCompile(`^(?:[0-9]{1,5}|\$\{(?:host|place|source|stream):[^}]*\})(?:[/?#"',}\]\s]|$)`)
	// bare is a password where the scheme was forgotten or mistyped.
	bare    = regexp.MustCompile(`^` + word(`:@`) + `:(.+)@`)
	anyWord = regexp.MustCompile(`\S+`)
	// named is a parameter of a URL or of a command: ?token=x, --password=x.
	named = regexp.MustCompile(`(?:^|[?&;\s"'\[,-])[A-Za-z0-9_.][A-Za-z0-9_.-]*=[^&;#\s]+`)
	// entryKey finds the keys in a line of the file.
	entryKey = regexp.MustCompile(`([A-Za-z0-9_.-]+)["']?\s*:(?:\s|$|["'\[{])`)
	// closed is a value whose end is certain, and what may follow it.
	closed = regexp.MustCompile(`^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:\$\{[^}]*\})+)["']?\s*(?:$|[,}\]]|\s#)`)
	inFlow = regexp.MustCompile(`^(?:\$\{[^}]*\}|[^,}\]])*`)
)

// hide is how a secret is made unreadable.
type hide func(string) string

// stars hides a text behind as many stars as it has characters, so that a
// caret below the line stays where it belongs.
func stars(s string) string { return strings.Repeat("*", utf8.RuneCountInString(s)) }

func masked(string) string { return stream.Masked }

// value hides a secret. References stay, their defaults do not.
func (h hide) value(s string) string {
	if onlyRefs.MatchString(s) {
		return h.defaults(s)
	}
	return h(s)
}

// defaults hides those of references to secrets.
func (h hide) defaults(s string) string { return replaceGroup(refDefault, s, h) }

// text hides the passwords in a text.
func (h hide) text(s string) string {
	return anyWord.ReplaceAllStringFunc(h.urls(s), func(w string) string {
		head, rest, found := strings.Cut(w, "://")
		if found {
			rest = "://" + rest
		}
		return replaceGroup(bare, head, h.value) + rest
	})
}

// urls hides the passwords of URLs and the secrets among parameters.
func (h hide) urls(s string) string {
	s = replaceGroup(urlPassword, s, func(password string) string {
		if port.MatchString(password) {
			return password // what follows is a path with an @
		}
		return h.value(password)
	})
	s = replaceGroup(hostless, s, h)
	return named.ReplaceAllStringFunc(s, func(found string) string {
		at := strings.IndexByte(found, '=') + 1
		if !stream.SecretName(found[:at-1]) && stream.MaskURLs(found[:at]+"x") == found[:at]+"x" {
			return found
		}
		value := strings.TrimRight(found[at:], `"',]`)
		if !onlyRefs.MatchString(value) {
			value = strings.TrimRight(value, "}")
		}
		return found[:at] + h.value(value) + found[at+len(value):]
	})
}

// maskURL is what may be shown of a text.
func maskURL(s string) string { return hide(masked).text(s) }

// publicPassword tells whether a text that everyone may read holds a password.
func publicPassword(s string) bool { return hide(masked).urls(s) != s }

// maskValue is what may be shown of a variable of that name.
func maskValue(name, value string) string {
	if value == "" || !stream.SecretName(name) {
		return maskURL(value)
	}
	return hide(masked).value(value)
}

// maskDefaults hides the default of a secret reference.
func maskDefaults(s string) string { return hide(masked).defaults(s) }

// maskLine hides what looks like a secret in a line of the file. Where the end
// of one is not certain, the rest of the line goes with it.
func maskLine(line string) string {
	h := hide(stars)
	return h.text(replaceGroup(torn, h.entries(line), func(password string) string {
		if port.MatchString(password) {
			return password
		}
		return h(password)
	}))
}

// entries hides the values of a line's keys that have a secret's name.
func (h hide) entries(line string) string {
	var out strings.Builder
	done := 0
	for {
		m := entryKey.FindStringSubmatchIndex(line[done:])
		if m == nil {
			return out.String() + line[done:]
		}
		before, name := line[:done+m[2]], line[done+m[2]:done+m[3]]
		from := len(before) + len(name)
		from += strings.IndexByte(line[from:], ':') + 1
		from += len(line[from:]) - len(strings.TrimLeft(line[from:], " \t"))
		out.WriteString(line[done:from])
		if done = from; !secretKey(name) {
			continue
		}
		done += valueEnd(line[from:], strings.Trim(before, " \t-?\"'") != "")
		value := line[from:done]
		switch inner := strings.Trim(value, "\"' \t"); {
		case onlyRefs.MatchString(inner):
			value = h.defaults(value)
		case inner != "":
			value = h(value)
		}
		out.WriteString(value)
	}
}

// valueEnd is where the value ends with which a line goes on: in { } at the
// next mark, else nowhere before the line does.
func valueEnd(rest string, flow bool) int {
	if m := closed.FindStringSubmatchIndex(rest); m != nil {
		return m[3]
	}
	if flow && !strings.ContainsAny(rest[:min(1, len(rest))], "\"'[{") {
		return len(strings.TrimRight(inFlow.FindString(rest), " \t"))
	}
	return len(rest)
}

// secretKey tells whether the value of a key is hidden; after …_file follows
// a path.
func secretKey(name string) bool {
	return stream.SecretName(name) && !strings.HasSuffix(strings.ToLower(name), "_file")
}

// secretPath is secretKey for the last element of a path.
func secretPath(path string) bool {
	name, _, _ := strings.Cut(path[strings.LastIndexByte(path, '.')+1:], "[")
	return secretKey(name)
}

// hideFrom hides the value at a column of a masked line, if its key, by which
// it would have been known, stands in another line.
func hideFrom(line string, column int) string {
	runes := []rune(line)
	at := max(0, min(column-1, len(runes)))
	rest := string(runes[at:])
	key := entryKey.FindStringSubmatchIndex(rest)
	switch {
	case strings.HasPrefix(rest, "*"): // hidden already
		return line
	case key != nil && strings.Trim(rest[:key[2]], "\"'") == "" && secretKey(rest[key[2]:key[3]]):
		return line
	}
	if m := closed.FindStringSubmatch(rest); m != nil && onlyRefs.MatchString(strings.Trim(m[1], "\"'")) {
		return line
	}
	return string(runes[:at]) + stars(rest)
}

// below tells whether a line belongs to the value of a secret whose key stands
// in a line above.
func (f *file) below(line int) bool {
	depth := indent(f.lines[line-1])
	for i := line - 2; i >= 0; i-- {
		above := f.lines[i]
		if strings.TrimSpace(above) == "" || indent(above) >= depth {
			continue
		}
		keys := entryKey.FindAllStringSubmatch(above, -1)
		return len(keys) > 0 && secretKey(keys[len(keys)-1][1])
	}
	return false
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// replaceGroup replaces what the first group of each match holds.
func replaceGroup(re *regexp.Regexp, s string, f func(string) string) string {
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		out.WriteString(s[last:m[2]])
		out.WriteString(f(s[m[2]:m[3]]))
		last = m[3]
	}
	out.WriteString(s[last:])
	return out.String()
}
