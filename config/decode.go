package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"stream-api/runners/plan"
	"stream-api/stream"
)

// decoder fills typed values from nodes by the tags of their structs. It
// never stops at a problem.
type decoder struct {
	problems *problems
	warnings *problems
	// index finds where a key was written, for the rules between keys.
	index map[string]entry
	// file is the one that has the last word; what is missing altogether is
	// reported at its top.
	file *file
	// oldSources are the entries of services that declare a source.
	oldSources []entry
}

// rules are a field's tags, handed down to its elements.
type rules struct {
	validate string
	scopes   string
}

// custom is what a type of this package implements that may be written in more than one way.
type custom interface {
	decode(d *decoder, n *node, path string, r rules)
}

type defaulter interface{ setDefaults() }

var (
	durationType = reflect.TypeFor[time.Duration]()
	templateType = reflect.TypeFor[stream.Template]()
	regexpType   = reflect.TypeFor[*regexp.Regexp]()
)

// problem reports what is wrong at a path. The value of a secret is not
// repeated.
func (d *decoder) problem(at place, path, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if e, ok := d.index[path]; ok && secretPath(path) && e.value.text != "" {
		message = strings.ReplaceAll(message, stream.Quote(e.value.text), stream.Quote(stream.Masked))
	}
	d.problems.add(at, path, "%s", message)
}

// decode fills what target points to.
func (d *decoder) decode(n *node, path string, target any, r rules) {
	if t, ok := target.(defaulter); ok {
		t.setDefaults()
	}
	d.value(n, path, reflect.ValueOf(target).Elem(), r)
}

// value fills v, which must be addressable, and checks it.
func (d *decoder) value(n *node, path string, v reflect.Value, r rules) {
	own, elements := splitDive(r)
	if d.custom(n, path, v, r) {
		if v.Kind() != reflect.Struct {
			d.check(n, path, v, own)
		}
		return
	}
	ok := false
	switch {
	case v.Type() == durationType, v.Type() == templateType, v.Type() == regexpType:
		ok = d.scalar(n, path, v, r)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().Kind() == reflect.Struct {
			d.value(n, path, v.Elem(), r)
			return
		}
		ok = d.scalar(n, path, v.Elem(), r)
	case v.Kind() == reflect.Struct:
		d.fields(n, path, v)
		return
	case v.Kind() == reflect.Slice:
		ok = d.slice(n, path, v, elements)
	case v.Kind() == reflect.Map:
		ok = d.mapping(n, path, v, r)
	default:
		ok = d.scalar(n, path, v, r)
	}
	if ok {
		d.check(n, path, v, own)
	}
}

// custom decodes a type that may be written in more than one way; false if v is none.
func (d *decoder) custom(n *node, path string, v reflect.Value, r rules) bool {
	switch t := v.Addr().Interface().(type) {
	case custom:
		t.decode(d, n, path, r)
	case *[]Source:
		d.decodeSources(n, path, t)
	case *plan.Command:
		d.decodeCommand(n, path, t, r)
	case **plan.Check:
		*t = defaultCheck()
		d.fields(n, path, v.Elem())
	case **plan.Ready:
		*t = defaultReady()
		d.fields(n, path, v.Elem())
	case *plan.OnChange:
		d.decodeOnChange(n, path, t)
	case *plan.Commands:
		d.decodeCommands(n, path, t, r)
	default:
		return false
	}
	return true
}

// needless are keys that people expect and that nothing needs, with a word why.
var needless = map[string]string{
	"queue": "no queue is looked at by the clock, whatever the number of hosts, so there is nothing to set: take it out",
}

// fields fills a struct. A key without a value leaves the default.
func (d *decoder) fields(n *node, path string, v reflect.Value) {
	if n.kind != mapKind && n.kind != nullKind {
		d.problem(n.at, path, "a map of keys is expected, but this is %s", n.kind)
		return
	}
	names := make([]string, 0, v.NumField())
	given := map[string]bool{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	for _, e := range n.entries {
		field, ok := fieldOf(v.Type(), e.key)
		if !ok {
			why := suggest(e.key, names)
			if word := hinted(path, e.key, v.Type()); word != "" {
				why = "; " + word
			}
			d.problem(e.at, path, "unknown key %s%s", stream.Quote(e.key), why)
			continue
		}
		at := join(path, e.key)
		d.index[at] = e
		if e.value.kind == nullKind {
			continue
		}
		given[e.key] = true
		d.value(e.value, at, v.FieldByIndex(field.Index), rules{
			validate: field.Tag.Get("validate"), scopes: field.Tag.Get("scopes"),
		})
	}
	for _, name := range names {
		field, _ := fieldOf(v.Type(), name)
		if !given[name] && strings.HasPrefix(field.Tag.Get("validate"), "required") {
			d.problem(d.at(path), path, "%s is missing", name)
		}
	}
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("yaml") == name && name != "-" && name != "" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// oneOrMore is a list of words; one of them may be written as it is.
type oneOrMore []string

// each is what a list has, or else the one that it is itself.
func (n *node) each() []*node {
	if n.kind == listKind {
		return n.items
	}
	return []*node{n}
}

func (d *decoder) slice(n *node, path string, v reflect.Value, r rules) bool {
	if n.kind == scalarKind && v.Type() == reflect.TypeFor[oneOrMore]() {
		n = &node{kind: listKind, at: n.at, items: n.each()}
	}
	if n.kind != listKind {
		d.problem(n.at, path, "a list is expected, but this is %s", n.kind)
		return false
	}
	list := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		at := element(path, i)
		d.index[at] = entry{key: at, at: item.at, value: item}
		d.decode(item, at, list.Index(i).Addr().Interface(), r)
	}
	v.Set(list)
	return true
}

// mapping fills a map whose keys are free. Its scalars keep their spelling;
// a key without a value has the empty text.
func (d *decoder) mapping(n *node, path string, v reflect.Value, r rules) bool {
	if n.kind != mapKind {
		d.problem(n.at, path, "a map of names and values is expected, but this is %s", n.kind)
		return false
	}
	_, elements := splitDive(r)
	keys, elements := splitKeys(elements)
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		at := join(path, e.key)
		d.index[at] = e
		if keys != "" {
			d.check(&node{kind: scalarKind, at: e.at, text: e.key}, path, reflect.ValueOf(e.key), keys)
		}
		value := e.value
		if value.kind == nullKind {
			value = &node{kind: scalarKind, at: e.value.at, text: e.value.text}
		}
		item := reflect.New(v.Type().Elem())
		d.decode(value, at, item.Interface(), elements)
		m.SetMapIndex(reflect.ValueOf(e.key), item.Elem())
	}
	v.Set(m)
	return true
}

// at is where the key of that path is, or else the nearest one above it.
func (d *decoder) at(path string) place {
	for path != "" {
		if e, ok := d.index[path]; ok {
			return e.at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return d.file.top()
}

// valueAt is where the value of that path is.
func (d *decoder) valueAt(path string) place {
	if e, ok := d.index[path]; ok && e.value.at.line > 0 {
		return e.value.at
	}
	return d.at(path)
}

// splitDive divides the tags of a list or map from those of its elements, as
// the validator does with "dive".
func splitDive(r rules) (own string, elements rules) {
	own, rest, found := strings.Cut(r.validate, "dive")
	if !found {
		return r.validate, rules{scopes: r.scopes}
	}
	return strings.TrimSuffix(own, ","), rules{validate: strings.TrimPrefix(rest, ","), scopes: r.scopes}
}

// splitKeys divides the tags of a map's keys from those of its values.
func splitKeys(r rules) (keys string, values rules) {
	rest, found := strings.CutPrefix(r.validate, "keys,")
	if !found {
		return "", r
	}
	keys, rest, _ = strings.Cut(rest, ",endkeys")
	return keys, rules{validate: strings.TrimPrefix(rest, ","), scopes: r.scopes}
}
