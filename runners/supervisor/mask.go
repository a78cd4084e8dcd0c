package supervisor

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stream-api/internal/legible"
)

// maxLine is how much of a line is kept, in bytes.
const maxLine = 4096

// masker makes one line fit to be shown: secrets become ***, and nothing in it moves a terminal.
type masker struct {
	replacer *strings.Replacer // nil without secrets
	longest  int               // of the secrets
	secrets  []string          // the longest first
}

// newMasker takes the secrets as they are, and as they look inside a URL. Those of several lines are masked line by line,
// since that is how they would come out.
func newMasker(secrets []string) *masker {
	var all []string
	for _, secret := range secrets {
		for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.TrimSpace(line) != "" {
				query := url.QueryEscape(line)
				all = append(all, line, query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(line))
			}
		}
	}
	// Of two that begin alike the longer must be looked for first.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	all = slices.Compact(all)
	m := &masker{secrets: all}
	var pairs []string
	for _, secret := range all {
		m.longest = max(m.longest, len(secret))
		pairs = append(pairs, secret, "***")
	}
	if pairs != nil {
		m.replacer = strings.NewReplacer(pairs...)
	}
	return m
}

// Mask hides secrets in a text, as they are and as they look inside a URL, as a slot's log does.
func Mask(secrets []string) func(text string) string { return newMasker(secrets).hide }

func (m *masker) hide(text string) string {
	if m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
}

// room is how much of a line must be known for clean to be sure of the part it shows.
func (m *masker) room() int { return maxLine + m.longest }

var ansi = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// clean masks line. cut says that it went on beyond room bytes.
func (m *masker) clean(line []byte, cut bool) string {
	text := string(line)
	if strings.ContainsRune(text, '\x1b') {
		text = ansi.ReplaceAllString(text, "") // before masking: colours must not hide a secret from it
	}
	text = m.hide(text)
	if cut {
		text = text[:max(0, len(text)-m.longest)] // may be the beginning of a secret
	}
	text = legible.Line(text)
	if cut || len(text) > maxLine {
		text = legible.Cut(text, maxLine) + "…[cut]"
	}
	return text
}

// piece masks what came of a line so far: what its end may be the beginning of is left out.
func (m *masker) piece(line []byte) string {
	text := string(line)
	if strings.ContainsRune(text, '\x1b') {
		text = ansi.ReplaceAllString(text, "")
	}
	text = m.hide(text)
	keep := len(text)
	for _, secret := range m.secrets {
		for n := min(len(secret)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				keep = min(keep, len(text)-n)
				break
			}
		}
	}
	return legible.Cut(legible.Line(text[:keep]), maxLine) + "…"
}
