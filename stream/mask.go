package stream

import (
	"regexp"
	"strings"
)

// Masked stands for what is not shown.
const Masked = "***"

var (
	// urlPassword finds the password of a URL anywhere in a text. It ends at the
	// last @ before a blank or the next URL: rather more is hidden than a
	// password with odd characters is shown in part.
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*):((?:[^\s:]|:[^\s/]|:/[^\s/])+(?::/?)?)@`)
	// port tells http://host:8000/a@b from a password.
	port = regexp.MustCompile(`^[0-9]{1,5}[/?#]`)
	// query finds the parameters of a URL's query.
	query = regexp.MustCompile(`([?&;])([A-Za-z0-9_.-]+)=[^&;#\s"']+`)

	secretName = regexp.MustCompile(`(?i)pass(?:w|phrase|$|[_.-])|secret|token|credential|private|api[_-]?key|stream[_-]?key|authorization|(?:^|[_.-])(?:auth|psk|pwd)(?:$|[_.-])`)
	// secretParameter holds names that say enough in a query, where they are a
	// sink's, but not of a variable: a stream has a key, too.
	secretParameter = regexp.MustCompile(`(?i)^(?:key|sig|signature)$`)
)

// SecretName tells whether the value of a variable of that name is not shown.
func SecretName(name string) bool { return secretName.MatchString(name) }

// MaskURLs replaces the passwords of all URLs in a text, and the secrets in
// their queries, so that it may be shown and logged.
func MaskURLs(text string) string {
	if strings.Contains(text, "://") {
		text = urlPassword.ReplaceAllStringFunc(text, func(found string) string {
			m := urlPassword.FindStringSubmatch(found)
			if port.MatchString(m[2]) {
				return found
			}
			return m[1] + ":" + Masked + "@"
		})
	}
	if !strings.Contains(text, "=") {
		return text
	}
	return query.ReplaceAllStringFunc(text, func(found string) string {
		m := query.FindStringSubmatch(found)
		if !SecretName(m[2]) && !secretParameter.MatchString(m[2]) {
			return found
		}
		return m[1] + m[2] + "=" + Masked
	})
}
