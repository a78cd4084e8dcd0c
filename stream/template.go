package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Ref is one ${scope:name} of a template. Scope is stream, source, host,
// place, slot, of, env or file, or else the name of a slot of the chain.
type Ref struct {
	Scope string
	Name  string
	// All: ${slot*:name}, what all instances of the slot say, and not the one that leads.
	All bool
	// Default is used when the value is missing; it counts only if
	// HasDefault (an empty default is a default).
	Default    string
	HasDefault bool
}

func (r Ref) String() string { return "${" + r.From() + ":" + r.Name + "}" }

// From is the scope as it is written.
func (r Ref) From() string {
	if r.All {
		return r.Scope + "*"
	}
	return r.Scope
}

// Need is what a slot waits for that uses the reference.
func (r Ref) Need() Need { return Need{Slot: r.Scope, Var: r.Name, All: r.All} }

// builtinScopes are those that do not name a slot.
var builtinScopes = map[string]bool{
	"stream": true, "source": true, "host": true, "place": true,
	"slot": true, "env": true, "file": true, ScopeOf: true,
}

// OfSlot tells whether the reference reads a variable that another slot
// publishes; only those make a slot wait.
func (r Ref) OfSlot() bool { return !builtinScopes[r.Scope] }

// OfItem tells whether the reference reads a variable of the slot's own item, which may
// be made of what publishers say.
func (r Ref) OfItem() bool { return r.Scope == "slot" && !slices.Contains(ownNames, r.Name) }

// Secret tells whether the value is read on this host and must never be
// stored in Redis or shown: ${env:…} and ${file:…}.
func (r Ref) Secret() bool { return r.Scope == "env" || r.Scope == "file" }

// Template is a parsed value of the configuration: literal text and
// references. The zero value is the empty text. It resolves to one value,
// never to shell text.
type Template struct {
	source string
	parts  []part
}

type part struct {
	literal string
	ref     *Ref
}

// ErrMissing is what Resolve's error wraps when a reference without a default
// has no value.
var ErrMissing = errors.New("no such value")

// ParseTemplate reads the syntax: ${scope:name}, ${slot*:name}, ${scope:name:-default},
// ${type_url} (old spelling of ${type:url}), $$ for a dollar. The error says
// at which byte (from 1) what is wrong.
func ParseTemplate(s string) (Template, error) {
	t := Template{source: s}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c != '$' {
			literal.WriteByte(c)
			i++
			continue
		}
		switch {
		case strings.HasPrefix(s[i:], "$$"):
			literal.WriteByte('$')
			i += 2
		case strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return Template{}, fmt.Errorf("at byte %d: ${ without its }", i+1)
			}
			ref, err := parseRef(s[i+2 : i+end])
			if err != nil {
				return Template{}, fmt.Errorf("at byte %d: %w", i+1, err)
			}
			flush()
			t.parts = append(t.parts, part{ref: &ref})
			i += end + 1
		default:
			return Template{}, fmt.Errorf("at byte %d: a single $; write $$ for a dollar, ${scope:name} for a value", i+1)
		}
	}
	flush()
	return t, nil
}

func parseRef(s string) (Ref, error) {
	var r Ref
	s, r.Default, r.HasDefault = strings.Cut(s, ":-")
	scope, name, ok := strings.Cut(s, ":")
	if !ok {
		// The owner's notes write ${dist_url} for ${dist:url}.
		if base, found := strings.CutSuffix(s, "_url"); found && base != "" {
			scope, name, ok = base, "url", true
		}
	}
	if !ok {
		return Ref{}, fmt.Errorf("${%s}: write ${scope:name}, with scope one of stream, source, host, place, slot, of, env, file or the name of a slot", s)
	}
	if scope, r.All = strings.CutSuffix(scope, "*"); r.All && builtinScopes[scope] {
		return Ref{}, fmt.Errorf("${%s}: only a slot has several instances: write ${%s:%s}", s, scope, name)
	}
	r.Scope, r.Name = scope, name
	switch {
	case scope == "file":
		if !strings.HasPrefix(name, "/") {
			return Ref{}, fmt.Errorf("${file:%s}: the path must be absolute", name)
		}
	default:
		if err := CheckVar(name); err != nil {
			return Ref{}, fmt.Errorf("${%s}: %w", s, err)
		}
		if !builtinScopes[scope] {
			if err := CheckType(scope); err != nil {
				return Ref{}, fmt.Errorf("${%s}: %w", s, err)
			}
		}
	}
	return r, nil
}

// String is the template as it was written.
func (t Template) String() string { return t.source }

// Refs are the references in order of writing.
func (t Template) Refs() []Ref {
	var refs []Ref
	for _, p := range t.parts {
		if p.ref != nil {
			refs = append(refs, *p.ref)
		}
	}
	return refs
}

// Head fills in what stands before the first reference that is not known, and tells whether that is the whole template.
func (t Template) Head(known func(Ref) bool, lookup Lookup) (head string, whole bool, err error) {
	end := slices.IndexFunc(t.parts, func(p part) bool { return p.ref != nil && !known(*p.ref) })
	if whole = end < 0; whole {
		end = len(t.parts)
	}
	head, err = Template{parts: t.parts[:end]}.Resolve(lookup)
	return head, whole, err
}

// Lookup finds the value of a reference; ok is false if there is none. An
// error (an unreadable file, say) ends the resolution.
type Lookup func(Ref) (value string, ok bool, err error)

// Resolve fills in the references. A missing value without a default is an
// error that wraps ErrMissing and names the reference.
func (t Template) Resolve(lookup Lookup) (string, error) {
	var out strings.Builder
	for _, p := range t.parts {
		if p.ref == nil {
			out.WriteString(p.literal)
			continue
		}
		value, ok, err := lookup(*p.ref)
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w", p.ref, err)
		case ok && strings.ContainsRune(value, 0):
			return "", fmt.Errorf("%s: its value has a NUL in it, which no argument and no environment can hold", p.ref)
		case ok:
			out.WriteString(value)
		case p.ref.HasDefault:
			out.WriteString(p.ref.Default)
		default:
			return "", fmt.Errorf("%s: %w", p.ref, ErrMissing)
		}
	}
	return out.String(), nil
}

// Needs are the distinct slot variables the templates wait for, sorted: the
// references to slots that have no default.
func Needs(templates ...Template) []Need {
	seen := map[Need]bool{}
	for _, t := range templates {
		for _, r := range t.Refs() {
			if r.OfSlot() && !r.HasDefault {
				seen[r.Need()] = true
			}
		}
	}
	return sortedNeeds(seen)
}
