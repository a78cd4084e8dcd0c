package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"stream-api/stream"
)

// Limits of a file. The parser needs time by the square of nesting and of
// the length of a map; within these it stays below a second.
const (
	maxFileBytes  = 1 << 20
	maxFileTokens = 50_000
	maxNesting    = 64
	maxNodes      = 200_000 // after aliases are expanded
)

type kind int

const (
	nullKind kind = iota
	scalarKind
	listKind
	mapKind
)

func (k kind) String() string {
	return [...]string{"nothing", "a single value", "a list", "a map"}[k]
}

// node is one value of a file. Nodes are never changed once made: aliases and
// merged files share them.
type node struct {
	kind    kind
	at      place
	text    string // of a scalar, as spelled; quotes and escapes resolved
	quoted  bool   // a scalar in quotes or a block: text, never a number
	items   []*node
	entries []entry
	size    int // nodes below and including this one, aliases expanded
}

type entry struct {
	key   string
	at    place // of the key
	value *node
}

func (n *node) find(key string) (entry, bool) {
	for _, e := range n.entries {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// parseFile reads one file into a node. It returns nil if the text is no
// YAML; what is wrong is in the problems.
func parseFile(f *file, data []byte, p *problems) (root *node) {
	// A bug of the parser must end in a message, not in a stopped daemon:
	// a new file is also checked while the host is on air.
	defer func() {
		if crash := recover(); crash != nil {
			p.add(f.top(), "", "the YAML parser failed on this file: %v", crash)
			root = nil
		}
	}()
	if err := checkSize(data); err != nil {
		p.add(f.top(), "", "%v", err)
		return nil
	}
	if at, message := f.noText(); message != "" {
		p.add(at, "", "%s", message)
		return nil
	}
	tree, err := parser.ParseBytes(bytes.TrimPrefix(data, []byte(stream.ByteOrderMark)), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := f.top(), err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			message = plainer(syntax.Message)
			if syntax.Token != nil && syntax.Token.Position != nil {
				at.line, at.column = syntax.Token.Position.Line, syntax.Token.Position.Column
			}
		}
		p.add(at, "", "%s", message)
		return nil
	}
	b := &builder{file: f, problems: p, anchors: map[string]*node{}}
	for _, doc := range tree.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.DirectiveNode); ok {
			continue
		}
		if root != nil {
			p.add(b.build(doc.Body).at, "", "a second document begins here; one file holds one")
			return nil
		}
		root = b.build(doc.Body)
	}
	if b.tooBig {
		return nil
	}
	if root == nil {
		root = &node{at: f.top(), size: 1}
	}
	if root.kind != nullKind && root.kind != mapKind {
		p.add(root.at, "", "the file must be a map of keys, but is %s", root.kind)
		return nil
	}
	return root
}

// noText finds the first place that is no text, which neither an environment
// nor JSON could carry.
func (f *file) noText() (at place, message string) {
	for i, line := range f.lines {
		column := 0
		for j, r := range line {
			column++
			if r != 0 && r != utf8.RuneError {
				continue
			}
			at := place{file: f, line: i + 1, column: column}
			if r == 0 {
				return at, "a zero byte; the file must be text"
			}
			if _, size := utf8.DecodeRuneInString(line[j:]); size == 1 {
				return at, "a byte that is no UTF-8; the file must be text in UTF-8"
			}
		}
	}
	return place{}, ""
}

// plainer says in other words what the parser says of common mistakes.
func plainer(message string) string {
	switch {
	case strings.Contains(message, "'\t'"):
		return "a tab; YAML is indented with spaces only"
	case message == "value is not allowed in this context", message == "mapping value is not allowed in this context":
		return message + " (is the indentation right? a text with ': ' needs quotes)"
	}
	return message
}

// checkSize refuses what would keep the parser busy for long or overflow its
// stack.
func checkSize(data []byte) error {
	if len(data) > maxFileBytes {
		return fmt.Errorf("the file has %d bytes; %d at most", len(data), maxFileBytes)
	}
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxFileTokens {
		return fmt.Errorf("the file has %d YAML tokens; %d at most", len(tokens), maxFileTokens)
	}
	flow, run, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.AnchorType, token.TagType, token.MappingKeyType:
			run++
		}
		if t.Position != nil && t.Position.Line != line {
			line, run = t.Position.Line, 0
		}
		if flow > maxNesting || run > 4*maxNesting {
			return fmt.Errorf("line %d nests deeper than %d", line, maxNesting)
		}
	}
	return nil
}

// builder turns the parser's tree into nodes; it resolves anchors, aliases
// and merge keys.
type builder struct {
	file     *file
	problems *problems
	anchors  map[string]*node
	tooBig   bool
}

func (b *builder) place(n ast.Node) place {
	at := b.file.top()
	if n == nil {
		return at
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		at.line, at.column = t.Position.Line, t.Position.Column
	}
	return at
}

func (b *builder) build(n ast.Node) *node {
	switch x := n.(type) {
	case *ast.MappingNode:
		return b.mapping(x)
	case *ast.MappingValueNode:
		return b.pairs([]*ast.MappingValueNode{x}, b.place(x.Key))
	case *ast.SequenceNode:
		return b.sequence(x)
	case *ast.AnchorNode:
		value := b.build(x.Value)
		b.anchors[scalarText(x.Name)] = value
		return value
	case *ast.AliasNode:
		name := scalarText(x.Value)
		if value, ok := b.anchors[name]; ok {
			return value
		}
		b.problems.add(b.place(x), "", "no anchor of this name before this place")
		return b.null(x)
	case *ast.TagNode:
		return b.tagged(x)
	case *ast.LiteralNode:
		text := ""
		if x.Value != nil {
			text = x.Value.Value
		}
		return b.text(x, text, true)
	case *ast.NullNode:
		null := b.null(x)
		if t := x.GetToken(); t != nil && t.Type != token.ImplicitNullType {
			null.text = t.Value
		}
		return null
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return b.scalar(n)
	}
	if n == nil {
		return b.null(n)
	}
	b.problems.add(b.place(n), "", "%s cannot be used here", strings.ToLower(n.Type().String()))
	return b.null(n)
}

func (b *builder) null(n ast.Node) *node { return &node{at: b.place(n), size: 1} }

func (b *builder) scalar(n ast.Node) *node {
	t := n.GetToken()
	quoted := t != nil && (t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType)
	return b.text(n, scalarText(n), quoted)
}

// text is a scalar. An escape can make what the file itself must not hold.
func (b *builder) text(n ast.Node, text string, quoted bool) *node {
	at := b.place(n)
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		b.problems.add(at, "", "the value holds a zero byte or what is no UTF-8")
	}
	return &node{kind: scalarKind, at: at, text: text, quoted: quoted, size: 1}
}

// scalarText is the text as it was spelled: 1.10 and 0x10 stay.
func scalarText(n ast.Node) string {
	switch x := n.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return x.Value
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// coreTags are the tags that say nothing the key does not know better.
var coreTags = map[string]bool{
	"!!str": true, "!!int": true, "!!float": true, "!!bool": true,
	"!!null": true, "!!map": true, "!!seq": true,
}

func (b *builder) tagged(x *ast.TagNode) *node {
	tag := x.GetToken().Value
	if !coreTags[tag] {
		b.problems.add(b.place(x), "", "this tag is not known here")
	}
	value := b.build(x.Value)
	if tag == "!!str" && value.kind != listKind && value.kind != mapKind {
		return &node{kind: scalarKind, at: value.at, text: value.text, quoted: true, size: 1}
	}
	return value
}

// grow counts nodes, so that aliases of aliases cannot expand without end.
func (b *builder) grow(n, child *node) {
	n.size += child.size
	if n.size > maxNodes {
		if !b.tooBig {
			b.problems.add(n.at, "", "aliases expand to more than %d values", maxNodes)
		}
		b.tooBig = true
		n.items, n.entries, n.size = nil, nil, 1
	}
}

func (b *builder) sequence(x *ast.SequenceNode) *node {
	n := &node{kind: listKind, at: b.place(x), size: 1}
	for _, value := range x.Values {
		child := b.build(value)
		n.items = append(n.items, child)
		b.grow(n, child)
	}
	return n
}

func (b *builder) mapping(x *ast.MappingNode) *node {
	at := b.place(x)
	if t := x.GetToken(); t != nil && t.Type != token.MappingStartType && len(x.Values) > 0 {
		at = b.place(x.Values[0].Key)
	}
	return b.pairs(x.Values, at)
}
