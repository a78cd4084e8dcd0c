package sources

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stream-api/stream"
)

// xmlScanner reads an answer in one pass: elements, attributes and text. It
// is strict about nesting, so that a cut-off answer is never taken for a short
// one, but takes any bytes as text: encoding/xml refuses a whole document for
// one control character or one byte of Latin-1 in one publisher's title.
// Namespaces are dropped; no entity but the five of XML and numbers is known,
// so nothing can expand.
type xmlScanner struct {
	b    []byte
	i    int
	open []string // names of the elements around the current place
	self bool     // the element just begun is <empty/>: its end comes next
	root bool     // the root element has been seen
	// names are those seen so far: an answer of 10,000 mounts repeats two
	// dozen of them.
	names map[string]string
}

type xmlKind int

const (
	xmlStart xmlKind = iota // name and attributes are set
	xmlText                 // text is set
	xmlEnd                  // name is set
	xmlDone                 // the root element is complete and nothing follows
)

type xmlToken struct {
	kind  xmlKind
	name  string
	attrs []byte // as they stand; see attr
	text  []byte // entities unresolved; see value
}

// next is the next token; white space between elements is not told.
func (s *xmlScanner) next() (xmlToken, error) {
	if s.self {
		s.self = false
		return s.closed(), nil
	}
	for s.i < len(s.b) {
		if s.b[s.i] != '<' {
			end := bytes.IndexByte(s.b[s.i:], '<')
			if end < 0 {
				end = len(s.b) - s.i
			}
			text := bytes.TrimSpace(s.b[s.i : s.i+end])
			at := s.i
			s.i += end
			if len(text) == 0 {
				continue
			}
			if len(s.open) == 0 {
				return xmlToken{}, fmt.Errorf("at byte %d: expected XML, found %s", at+1, stream.Quote(string(text[:min(len(text), 40)])))
			}
			return xmlToken{kind: xmlText, text: text}, nil
		}
		token, ok, err := s.markup()
		if err != nil || ok {
			return token, err
		}
	}
	if len(s.open) > 0 || !s.root {
		return xmlToken{}, errCutOff
	}
	return xmlToken{kind: xmlDone}, nil
}

// markup reads what begins with '<'; ok is false for what is passed over.
func (s *xmlScanner) markup() (xmlToken, bool, error) {
	rest := s.b[s.i:]
	switch {
	case len(rest) > 1 && rest[1] == '/':
		return s.endTag()
	case len(rest) < 2 || rest[1] != '?' && rest[1] != '!': // with the one above, nearly always
		return s.startTag()
	case bytes.HasPrefix(rest, []byte("<?")):
		return xmlToken{}, false, s.pass("?>")
	case bytes.HasPrefix(rest, []byte("<!--")):
		return xmlToken{}, false, s.pass("-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		start := s.i + len("<![CDATA[")
		if err := s.pass("]]>"); err != nil {
			return xmlToken{}, false, err
		}
		if len(s.open) == 0 {
			return xmlToken{}, false, fmt.Errorf("at byte %d: text outside the root element", start)
		}
		// Escaped, so that the text reads the same as any other.
		text := bytes.ReplaceAll(s.b[start:s.i-3], []byte("&"), []byte("&amp;"))
		return xmlToken{kind: xmlText, text: text}, true, nil
	default:
		return xmlToken{}, false, s.doctype()
	}
}

func (s *xmlScanner) pass(end string) error {
	n := bytes.Index(s.b[s.i:], []byte(end))
	if n < 0 {
		return errCutOff
	}
	s.i += n + len(end)
	return nil
}

func (s *xmlScanner) doctype() error {
	n := bytes.IndexAny(s.b[s.i:], ">[")
	if n < 0 {
		return errCutOff
	}
	if s.b[s.i+n] == '[' {
		return errors.New("the answer declares a document type of its own; that is refused")
	}
	s.i += n + 1
	return nil
}

func (s *xmlScanner) endTag() (xmlToken, bool, error) {
	n := bytes.IndexByte(s.b[s.i:], '>')
	if n < 0 {
		return xmlToken{}, false, errCutOff
	}
	name := localName(bytes.TrimSpace(s.b[s.i+2 : s.i+n]))
	if len(s.open) == 0 || s.open[len(s.open)-1] != string(name) {
		return xmlToken{}, false, fmt.Errorf("at byte %d: the end tag %s closes nothing", s.i+1, stream.Quote(string(name)))
	}
	s.i += n + 1
	return s.closed(), true, nil
}

func (s *xmlScanner) closed() xmlToken {
	name := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	return xmlToken{kind: xmlEnd, name: name}
}

func (s *xmlScanner) startTag() (xmlToken, bool, error) {
	end, space, quote := -1, -1, byte(0)
	for i := s.i + 1; i < len(s.b) && end < 0; i++ {
		c := s.b[i]
		if space < 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			space = i - s.i - 1
		}
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			end = i
		case c == '<':
			return xmlToken{}, false, fmt.Errorf("at byte %d: '<' within a tag", i+1)
		}
	}
	if end < 0 {
		return xmlToken{}, false, errCutOff
	}
	tag := s.b[s.i+1 : end]
	if n := len(tag); n > 0 && tag[n-1] == '/' {
		tag, s.self = tag[:n-1], true
	}
	name, attrs := tag, []byte(nil)
	if space >= 0 {
		name, attrs = tag[:space], tag[space:]
	}
	switch {
	case len(name) == 0:
		return xmlToken{}, false, fmt.Errorf("at byte %d: a tag without a name", s.i+1)
	case len(s.open) == 0 && s.root:
		return xmlToken{}, false, fmt.Errorf("at byte %d: a second root element", s.i+1)
	case len(s.open) >= maxDepth:
		return xmlToken{}, false, errDeep
	}
	s.root = true
	s.i = end + 1
	s.open = append(s.open, s.intern(localName(name)))
	return xmlToken{kind: xmlStart, name: s.open[len(s.open)-1], attrs: attrs}, true, nil
}

// children calls read for each element directly inside the one just begun;
// read must consume it to its end.
func (s *xmlScanner) children(read func(t xmlToken) error) error {
	for {
		switch t, err := s.next(); {
		case err != nil:
			return err
		case t.kind == xmlEnd:
			return nil
		case t.kind == xmlStart:
			if err := read(t); err != nil {
				return err
			}
		}
	}
}

// skip consumes the element just begun.
func (s *xmlScanner) skip() error {
	return s.children(func(xmlToken) error { return s.skip() })
}

// text consumes the element just begun and returns the text directly in it.
func (s *xmlScanner) text() (string, error) {
	var few [1]string
	pieces := few[:0] // comments can cut a text into a million; nearly always it is one, which Join gives back as it is
	for {
		switch t, err := s.next(); {
		case err != nil:
			return "", err
		case t.kind == xmlEnd:
			return strings.Join(pieces, ""), nil
		case t.kind == xmlText:
			pieces = append(pieces, plainXML(t.text))
		case t.kind == xmlStart:
			if err := s.skip(); err != nil {
				return "", err
			}
		}
	}
}

// document reads one root element called name, and nothing after it.
func (s *xmlScanner) document(name string, read func(t xmlToken) error) error {
	t, err := s.next()
	if err != nil {
		return err
	}
	if t.kind != xmlStart || t.name != name {
		return fmt.Errorf("expected the element %s, found %s", name, stream.Quote(t.name))
	}
	if err := s.children(read); err != nil {
		return err
	}
	_, err = s.next()
	return err
}

// attr is the value of an attribute of a start tag.
func (t xmlToken) attr(name string) string {
	for rest := t.attrs; ; {
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return ""
		}
		this := string(localName(bytes.TrimSpace(rest[:eq])))
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return ""
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return ""
		}
		if this == name {
			return plainXML(rest[1 : 1+end])
		}
		rest = rest[end+2:]
	}
}

func localName(name []byte) []byte { return name[bytes.LastIndexByte(name, ':')+1:] }

// intern is the name as a string, made once.
func (s *xmlScanner) intern(name []byte) string {
	if known, ok := s.names[string(name)]; ok {
		return known
	}
	if s.names == nil {
		s.names = make(map[string]string)
	}
	fresh := string(name)
	if len(s.names) < 256 { // a hostile answer never repeats one
		s.names[fresh] = fresh
	}
	return fresh
}

var xmlEntities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// plainXML resolves the entities of a text; an unknown one stands as it is.
func plainXML(raw []byte) string {
	if bytes.IndexByte(raw, '&') < 0 {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	var out strings.Builder
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '&')
		if n < 0 {
			out.Write(raw)
			break
		}
		out.Write(raw[:n])
		raw = raw[n:]
		end := bytes.IndexByte(raw[:min(len(raw), 12)], ';')
		text, ok := "", false
		if end > 0 {
			text, ok = entity(string(raw[1:end]))
		}
		if !ok {
			out.WriteByte('&')
			raw = raw[1:]
			continue
		}
		out.WriteString(text)
		raw = raw[end+1:]
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

func entity(name string) (string, bool) {
	if text, ok := xmlEntities[name]; ok {
		return text, true
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return "", false
	}
	if hex := strings.TrimPrefix(digits, "x"); hex != digits {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil {
		return "", false
	}
	return string(rune(n)), true
}
