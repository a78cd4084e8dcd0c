package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stream-api/stream"
)

// maxDepth bounds how deep an answer may nest; real ones need less than ten.
const maxDepth = 64

var (
	errCutOff = errors.New("the answer is cut off")
	errDeep   = fmt.Errorf("the answer nests deeper than %d levels", maxDepth)
)

// jsonScanner reads an answer in one pass without building a tree. It is as
// strict as JSON about structure, so that a cut-off answer is never taken for
// a short one, but lenient about scalars: Icecast 2.4 prints every text that
// looks like a number bare, so that one publisher who calls a stream "-" makes
// the whole document invalid. A bare scalar is whatever stands before the next
// comma or bracket.
type jsonScanner struct {
	b     []byte
	i     int
	depth int
}

// peek is the next byte that is no white space, 0 at the end.
func (s *jsonScanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// object reads {"name": value, …}. For each member it calls read, which must
// consume exactly one value.
func (s *jsonScanner) object(read func(name []byte) error) error {
	if s.peek() != '{' {
		return s.unexpected("an object")
	}
	s.i++
	return s.members(read)
}

// members is object after its opening bracket.
func (s *jsonScanner) members(read func(name []byte) error) error {
	return s.sequence('}', func() error {
		name, err := s.quoted()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.unexpected("a colon after the member " + stream.Quote(string(name)))
		}
		s.i++
		return read(name)
	})
}

// array reads [value, …]. read must consume exactly one value.
func (s *jsonScanner) array(read func() error) error {
	if s.peek() != '[' {
		return s.unexpected("a list")
	}
	s.i++
	return s.sequence(']', read)
}

func (s *jsonScanner) sequence(end byte, read func() error) error {
	if s.depth++; s.depth > maxDepth {
		return errDeep
	}
	defer func() { s.depth-- }()
	if s.peek() == end {
		s.i++
		return nil
	}
	for {
		if err := read(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case end:
			s.i++
			return nil
		default:
			return s.unexpected("a comma or '" + string(end) + "'")
		}
	}
}

// quoted reads a string and returns what stands between its quotes, escapes
// untouched.
func (s *jsonScanner) quoted() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.unexpected("a string")
	}
	for i := s.i + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			i++
		case '"':
			text := s.b[s.i+1 : i]
			s.i = i + 1
			return text, nil
		}
	}
	return nil, errCutOff
}

// bare reads a scalar without quotes, right or wrong.
func (s *jsonScanner) bare() []byte {
	s.peek()
	start := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ',', '}', ']', '{', '[', '"', ':':
			return s.b[start:s.i]
		}
		s.i++
	}
	return s.b[start:]
}

// skip consumes any value.
func (s *jsonScanner) skip() error {
	switch s.peek() {
	case 0:
		return errCutOff
	case '{':
		return s.object(func([]byte) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		_, err := s.quoted()
		return err
	default:
		s.bare()
		return nil
	}
}

// text consumes any value and returns a scalar's text; null, objects and
// lists have none.
func (s *jsonScanner) text() (string, error) {
	switch s.peek() {
	case '"':
		raw, err := s.quoted()
		return unescape(raw), err
	case '{', '[', 0:
		return "", s.skip()
	default:
		if text := strings.TrimSpace(string(s.bare())); text != "null" {
			return strings.ToValidUTF8(text, "\uFFFD"), nil
		}
		return "", nil
	}
}

// integer consumes any value; what is no whole number from 0 is -1.
func (s *jsonScanner) integer() (int64, error) {
	text, err := s.text()
	return wholeNumber(text), err
}

func wholeNumber(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n
	}
	return -1
}

// end makes sure that nothing follows.
func (s *jsonScanner) end() error {
	if s.peek() != 0 || s.i < len(s.b) {
		return s.unexpected("the end of the answer")
	}
	return nil
}

func (s *jsonScanner) unexpected(want string) error {
	if s.peek() == 0 && s.i >= len(s.b) {
		return errCutOff
	}
	rest := s.b[s.i:]
	return fmt.Errorf("at byte %d: expected %s, found %s", s.i+1, want, stream.Quote(string(rest[:min(len(rest), 40)])))
}

func unescape(raw []byte) string {
	plain := true
	for _, c := range raw {
		if c == '\\' || c < ' ' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return string(raw)
	}
	var text string
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	if json.Unmarshal(quoted, &text) != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD") // bad escapes stand as they are
	}
	return text
}
