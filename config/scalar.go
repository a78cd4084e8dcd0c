package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// scalar fills one of the types that are written as a single value.
func (d *decoder) scalar(n *node, path string, v reflect.Value, r rules) bool {
	if n.kind != scalarKind {
		d.problem(n.at, path, "a single value is expected, but this is %s", n.kind)
		return false
	}
	switch v.Interface().(type) {
	case time.Duration:
		value, err := parseDuration(n.text)
		return d.set(n, path, v, value, err)
	case supervisor.Size:
		value, err := parseSize(n.text)
		return d.set(n, path, v, value, err)
	case supervisor.Processors:
		value, err := parseProcessors(n)
		return d.set(n, path, v, value, err)
	case stream.Template:
		return d.template(n, path, v, r)
	case *regexp.Regexp:
		if n.text == "" {
			return true
		}
		if strings.Contains(n.text, "${") {
			d.problem(n.at, path, "%s holds ${: nothing is filled into a regular expression, so it could never match", stream.Quote(n.text))
			return false
		}
		value, err := regexp.Compile(n.text)
		if err != nil {
			err = fmt.Errorf("no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return d.set(n, path, v, value, err)
	case bool:
		value, err := parseBool(n)
		return d.set(n, path, v, value, err)
	case stream.Amount:
		value, err := parseAmount(n)
		return d.set(n, path, v, value, err)
	case int:
		value, err := parseInt(n)
		return d.set(n, path, v, value, err)
	case int64:
		value, err := parseInt(n)
		return d.set(n, path, v, int64(value), err)
	}
	if v.Kind() == reflect.String {
		v.SetString(n.text)
		return true
	}
	panic(fmt.Sprintf("config: no decoder for %s", v.Type()))
}

func (d *decoder) set(n *node, path string, v reflect.Value, value any, err error) bool {
	if err != nil {
		d.problem(n.at, path, "%v", err)
		return false
	}
	v.Set(reflect.ValueOf(value))
	return true
}

var bareNumber = regexp.MustCompile(`^[-+]?[0-9._]+$`)

func parseDuration(text string) (time.Duration, error) {
	if bareNumber.MatchString(text) {
		return 0, fmt.Errorf("%s is a bare number: write a time with its unit, such as %ss or %sms", stream.Quote(text), text, text)
	}
	value, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s is no time: write it like 500ms, 5s, 1m30s or 2h", stream.Quote(text))
	}
	if value < 0 {
		return 0, fmt.Errorf("%s is before it began: a time must not be negative", stream.Quote(text))
	}
	return value, nil
}

var writtenSize = regexp.MustCompile(`^([1-9][0-9]{0,5})(KiB|MiB|GiB|TiB)$`)

var sizeShift = map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}

func parseSize(text string) (supervisor.Size, error) {
	m := writtenSize.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s is no size: write a whole number and its unit, such as 512MiB, 4GiB or 1TiB", stream.Quote(text))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return supervisor.Size(n << sizeShift[m[2]]), err
}

// parseProcessors takes what the kernel takes: from a hundredth of a processor on.
func parseProcessors(n *node) (supervisor.Processors, error) {
	const least, most = 10, 4096_000
	value, err := stream.ParseAmount(n.text)
	if n.quoted || err != nil || value < least || value > most {
		return 0, fmt.Errorf("%s is no amount of processor time: write a number of processors without quotes, from 0.01 to 4096, such as 1.5", stream.Quote(n.text))
	}
	return supervisor.Processors(value), nil
}

func parseBool(n *node) (bool, error) {
	if !n.quoted && (n.text == "true" || n.text == "false") {
		return n.text == "true", nil
	}
	return false, fmt.Errorf("%s is neither true nor false (write one of them, without quotes)", stream.Quote(n.text))
}

var wholeNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)

func parseInt(n *node) (int, error) {
	if n.quoted {
		return 0, fmt.Errorf("%s is text: write a number without quotes", stream.Quote(n.text))
	}
	if !wholeNumber.MatchString(n.text) {
		return 0, fmt.Errorf("%s is no whole number", stream.Quote(n.text))
	}
	value, err := strconv.Atoi(n.text)
	if err != nil {
		return 0, fmt.Errorf("%s is out of range", stream.Quote(n.text))
	}
	return value, nil
}

// parseAmount reads how much there is, or is used, of a pool: nothing is no amount.
func parseAmount(n *node) (stream.Amount, error) {
	if n.quoted {
		return 0, fmt.Errorf("%s is text: write a number without quotes", stream.Quote(n.text))
	}
	value, err := stream.ParseAmount(n.text)
	if err == nil && value == 0 {
		err = fmt.Errorf("%s is nothing: leave the pool out, or write more", stream.Quote(n.text))
	}
	return value, err
}

var atByte = regexp.MustCompile(`^at byte ([0-9]+): `)

// template parses and checks the scopes. A problem points at the very byte
// where the line of the file shows the text as it is.
func (d *decoder) template(n *node, path string, v reflect.Value, r rules) bool {
	value, err := stream.ParseTemplate(n.text)
	if err != nil {
		at, message := n.at, err.Error()
		if secretPath(path) {
			d.problem(at, path, "its $ or ${…} is wrong: write ${scope:name} for a value, $$ for a dollar")
			return false
		}
		if m := atByte.FindStringSubmatch(message); m != nil {
			if offset, _ := strconv.Atoi(m[1]); n.spelledAt() {
				at = n.inside(offset - 1)
				message = message[len(m[0]):]
			}
		}
		d.problem(at, path, "%s", message)
		return false
	}
	if r.scopes != "" {
		for _, ref := range value.Refs() {
			if err := checkScope(ref, strings.Fields(r.scopes)); err != nil {
				at := n.at
				if i := strings.Index(n.text, "${"+ref.Scope+":"+ref.Name); i >= 0 && n.spelledAt() {
					at = n.inside(i)
				}
				d.problem(at, path, "%v", err)
				return false
			}
		}
	}
	v.Set(reflect.ValueOf(value))
	return true
}

// spelledAt tells whether the text stands in the file's line just as it is,
// so that a place within it can be shown.
func (n *node) spelledAt() bool {
	return strings.HasPrefix(n.rest(), n.text)
}

func (n *node) rest() string {
	line := []rune(n.at.text())
	from := n.at.column - 1
	if n.quoted {
		from++
	}
	if from < 0 || from > len(line) {
		return ""
	}
	return string(line[from:])
}

// inside is the place of the byte at that offset of the text.
func (n *node) inside(offset int) place {
	at := n.at
	at.column += utf8.RuneCountInString(n.text[:min(offset, len(n.text))])
	if n.quoted {
		at.column++
	}
	return at
}

// checkScope says why a reference cannot be used where only those scopes can.
// "*" stands for the names of slots, and scope:name for this one alone.
func checkScope(ref stream.Ref, allowed []string) error {
	for _, scope := range allowed {
		if scope == ref.Scope || scope == "*" && ref.OfSlot() || scope == ref.Scope+":"+ref.Name {
			return nil
		}
	}
	if ref.Secret() {
		return fmt.Errorf("%s cannot be used here: this value is stored in Redis or shown, which secrets never are", ref)
	}
	known := make([]string, len(allowed))
	for i, scope := range allowed {
		known[i] = "${" + scope + "}"
		switch {
		case scope == "*":
			known[i] = "${SLOT:…}"
		case !strings.Contains(scope, ":"):
			known[i] = "${" + scope + ":…}"
		}
	}
	return fmt.Errorf("%s has no value here: only %s", ref, strings.Join(known, ", "))
}
