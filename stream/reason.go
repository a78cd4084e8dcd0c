package stream

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Code says in one word why something is as it is. Whoever counts, sorts or
// reacts goes by it, and never by the sentence that people read.
type Code string

// Facts are what a code is said of: names of hosts, figures, lists as text. A
// fact is a value by itself, so that a program need not read sentences.
type Facts map[string]string

// Reason is why something is as it is. Its zero value is none. What a hand
// wrote in place of one has no code: its text is its only fact.
//
// In the store it is one string, its Wire: the code, a blank, the facts as a
// JSON object, such as
//
//	full {"full":"10/10, 4/4","services":"2","type":"transcode"}
//
// Lua makes the same by because(), of include/because.lua.
type Reason struct {
	Code  Code
	Facts Facts
}

// Names of facts that this file knows.
const (
	factText  = "text"  // what a hand wrote
	factCause = "cause" // the code of what is behind it; cause.NAME are the facts of that
)

// Because makes a reason of a code and pairs of fact and value. A fact without a
// value is left out.
func Because(code Code, pairs ...string) Reason {
	r := Reason{Code: code}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if r.Facts == nil {
			r.Facts = Facts{}
		}
		r.Facts[pairs[i]] = pairs[i+1]
	}
	return r
}

// codePattern is what a code looks like. A single word that a hand wrote looks
// like one that this program does not know, and is shown like one: as it is.
var codePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ParseReason reads a reason as the store has it. All text is one: what is no
// code and facts is what somebody wrote by hand.
func ParseReason(text string) Reason {
	if text == "" {
		return Reason{}
	}
	code, rest, more := strings.Cut(text, " ")
	byHand := Reason{Facts: Facts{factText: text}}
	if !codePattern.MatchString(code) {
		return byHand
	}
	r := Reason{Code: Code(code)}
	if !more {
		return r
	}
	var facts map[string]json.RawMessage
	if json.Unmarshal([]byte(rest), &facts) != nil || facts == nil {
		return byHand
	}
	r.Facts = make(Facts, len(facts))
	for name, raw := range facts {
		var value string
		if json.Unmarshal(raw, &value) != nil {
			value = string(raw) // a newer program's number or list
		}
		r.Facts[name] = value
	}
	return r
}

// Wire is the reason as the store has it; empty for none. Equal reasons have
// equal wires.
func (r Reason) Wire() string {
	switch {
	case r.Code == "":
		return r.Facts[factText]
	case len(r.Facts) == 0:
		return string(r.Code)
	}
	var b bytes.Buffer
	b.WriteString(string(r.Code) + " ")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(map[string]string(r.Facts)) != nil {
		return string(r.Code) // a map of strings always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// MarshalText and UnmarshalText make a reason its wire in files of JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.Wire()), nil }

// UnmarshalText never fails: all text is a reason.
func (r *Reason) UnmarshalText(text []byte) error {
	*r = ParseReason(string(text))
	return nil
}

// IsZero tells that there is no reason.
func (r Reason) IsZero() bool { return r.Code == "" && len(r.Facts) == 0 }

// Is tells whether two reasons say the same.
func (r Reason) Is(other Reason) bool {
	return r.Code == other.Code && maps.Equal(r.Facts, other.Facts)
}

// With is the reason with more facts.
func (r Reason) With(pairs ...string) Reason {
	more := Because(r.Code, pairs...).Facts
	if len(more) == 0 {
		return r
	}
	facts := make(Facts, len(r.Facts)+len(more))
	maps.Copy(facts, r.Facts)
	maps.Copy(facts, more)
	return Reason{Code: r.Code, Facts: facts}
}

// After is the reason with what is behind it.
func (r Reason) After(cause Reason) Reason {
	if cause.IsZero() {
		return r
	}
	if cause.Code == "" {
		return r.With(factCause, cause.Facts[factText])
	}
	pairs := []string{factCause, string(cause.Code)}
	for name, value := range cause.Facts {
		pairs = append(pairs, factCause+"."+name, value)
	}
	return r.With(pairs...)
}

// Cause is what is behind the reason, none if nothing is.
func (r Reason) Cause() Reason {
	cause := ParseReason(r.Facts[factCause])
	if cause.Code == "" {
		return cause
	}
	for name, value := range r.Facts {
		if name, ok := strings.CutPrefix(name, factCause+"."); ok {
			cause = cause.With(name, value)
		}
	}
	return cause
}

// String is the sentence that people read, without a full stop; empty for none.
// It may hold a stranger's text: Told is what may be shown.
func (r Reason) String() string {
	if r.Code == "" {
		return r.Facts[factText]
	}
	if row, known := reasons[r.Code]; known {
		if text, complete := row.sentence.fill(r); complete {
			return text
		}
	}
	return r.plain()
}

// plain is a reason whose sentence is not known here: a newer program's, or one
// whose facts a hand took away.
func (r Reason) plain() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		if name != factCause && !strings.HasPrefix(name, factCause+".") {
			parts = append(parts, name+" "+r.Facts[name])
		}
	}
	text := string(r.Code)
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if cause := r.Cause(); !cause.IsZero() {
		text += ": " + cause.String()
	}
	return text
}

// Told is a reason as it is shown, in JSON and on the page. All of it is absent if
// there is none; what a hand wrote has a sentence only.
type Told struct {
	// Reason is the sentence.
	Reason string            `json:"reason,omitempty"`
	Code   Code              `json:"code,omitempty"`
	Facts  map[string]string `json:"facts,omitempty"`
	// Severity is how much it is somebody's business.
	Severity Severity `json:"severity,omitempty"`
}

// Told is the reason in the form that is shown.
func (r Reason) Told() Told {
	t := Told{Reason: r.String(), Code: r.Code, Severity: r.Severity()}
	if r.Code != "" {
		t.Facts = r.Facts
	}
	return t
}
