package config

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	urlPassword = regexp.MustCompile(`(://[^/@\s:"']*:)([^@\s"']+)@`)
	onlyRefs    = regexp.MustCompile(`^(?:\$\{[^}]*\})+$`)
	refDefault  = regexp.MustCompile(`(\$\{(?:env|file):[^}]*?):-[^}]*\}`)
	// secretName matches names of variables whose values are not shown.
	secretName = regexp.MustCompile(`(?i)pass(?:w|$|_)|passw|secret|token|credential|api_?key|private`)
	// secretEntry finds such a variable in a line of the file.
	secretEntry = regexp.MustCompile(`(?i)([A-Za-z0-9_]*(?:passw|_pass|^pass|secret|token|credential|api_?key|private)[A-Za-z0-9_]*"?\s*:\s*)("[^"]*"|'[^']*'|[^\s,}"'][^,}#]*)`)
	// fileEntry ends where the name says that only a path follows.
	fileEntry = regexp.MustCompile(`_file"?\s*:\s*$`)
)

// stars hides a text behind as many stars as it has characters, so that a
// caret below the line stays where it belongs.
func stars(s string) string { return strings.Repeat("*", utf8.RuneCountInString(s)) }

// maskURL hides passwords in URLs. References stay: they name where the
// secret is and do not hold it.
func maskURL(s string) string {
	return replaceGroup(urlPassword, s, 2, func(password string) string {
		if onlyRefs.MatchString(password) {
			return maskDefaults(password)
		}
		return "***"
	})
}

// maskValue is what may be shown of a variable of that name.
func maskValue(name, value string) string {
	if value == "" || !secretName.MatchString(name) {
		return maskURL(value)
	}
	if onlyRefs.MatchString(value) {
		return maskDefaults(value)
	}
	return "***"
}

// maskDefaults hides the default of a secret reference.
func maskDefaults(s string) string { return refDefault.ReplaceAllString(s, "$1:-***}") }

// maskLine hides what looks like a secret in a line of the file.
func maskLine(line string) string {
	line = replaceGroup(urlPassword, line, 2, func(s string) string {
		if onlyRefs.MatchString(s) {
			return s
		}
		return stars(s)
	})
	return replaceGroup(secretEntry, line, 2, func(s string) string {
		inner := strings.Trim(s, `"' `)
		if strings.HasPrefix(inner, "${") || strings.HasPrefix(inner, "/") || strings.HasPrefix(inner, "{") || strings.HasPrefix(inner, "[") {
			return s
		}
		return stars(s)
	})
}

// replaceGroup replaces what one group of each match holds.
func replaceGroup(re *regexp.Regexp, s string, group int, f func(string) string) string {
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[2*group], m[2*group+1]
		out.WriteString(s[last:from])
		if fileEntry.MatchString(s[last:from]) {
			out.WriteString(s[from:to])
		} else {
			out.WriteString(f(s[from:to]))
		}
		last = to
	}
	out.WriteString(s[last:])
	return out.String()
}
