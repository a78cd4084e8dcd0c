package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Selector is which hosts may run a slot: the one of a name, or those with labels.
// Zero: all. Its texts are templates of what is known of the stream and its source
// until Resolve fills them in.
type Selector struct {
	Name   string
	Labels map[string]Values // each label has to be one of its values
}

// Values are those that a label may have; "!" before one: it may not.
type Values []string

// maxSelected bounds the labels of a selector, and the values of one.
const maxSelected = 16

// IsZero tells that every host may run it.
func (s Selector) IsZero() bool { return s.Name == "" && len(s.Labels) == 0 }

// Equal tells whether two selectors say the same.
func (s Selector) Equal(other Selector) bool {
	return s.Name == other.Name && (len(s.Labels) == 0 && len(other.Labels) == 0 || reflect.DeepEqual(s.Labels, other.Labels))
}

// Matches tells whether a host of that name with those labels is one of them.
func (s Selector) Matches(host string, labels Labels) bool {
	return (s.Name == "" || s.Name == host) && s.MatchesLabels(labels)
}

// MatchesLabels is Matches of what is not known by name.
func (s Selector) MatchesLabels(labels Labels) bool {
	for name, values := range s.Labels {
		has, meant, any := labels[name], false, false
		for _, v := range values {
			not, negative := strings.CutPrefix(v, "!")
			if negative && not == has {
				return false
			}
			meant, any = meant || !negative && v == has, any || !negative
		}
		if any && !meant {
			return false
		}
	}
	return true
}

// Check says why it can select nothing, or nil.
func (s Selector) Check() error {
	if s.Name != "" && len(s.Labels) > 0 {
		return errors.New("it is a host's name or labels, not both")
	}
	if len(s.Labels) > maxSelected {
		return fmt.Errorf("%d labels are too many: %d at most", len(s.Labels), maxSelected)
	}
	if err := checkSelected(s.Name, CheckHost); s.Name != "" && err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if err := CheckLabel(name); err != nil {
			return err
		}
		if n := len(s.Labels[name]); n == 0 || n > maxSelected {
			return fmt.Errorf("%s: %d values: 1 to %d are expected", name, n, maxSelected)
		}
		for _, v := range s.Labels[name] {
			if err := checkSelected(strings.TrimPrefix(v, "!"), CheckLabelValue); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// checkSelected checks a text that may be a template.
func checkSelected(text string, check func(string) error) error {
	t, err := ParseTemplate(text)
	if err != nil {
		return err
	}
	for _, ref := range t.Refs() {
		if ref.Scope != "stream" && ref.Scope != "source" {
			return fmt.Errorf("%s has no value here: only ${stream:…} and ${source:…}", ref)
		}
	}
	if len(t.Refs()) > 0 {
		return nil
	}
	return check(text)
}

// Resolve fills in what is known; a text that misses a value stays as it is written.
func (s Selector) Resolve(lookup Lookup) Selector {
	fill := func(text string) string {
		if t, err := ParseTemplate(text); err == nil {
			if filled, err := t.Resolve(lookup); err == nil {
				return filled
			}
		}
		return text
	}
	out := Selector{Name: fill(s.Name)}
	for name, values := range s.Labels {
		if out.Labels == nil {
			out.Labels = map[string]Values{}
		}
		for _, v := range values {
			out.Labels[name] = append(out.Labels[name], fill(v))
		}
	}
	return out
}

// Unresolved is a text of it that misses a value; empty: none does.
func (s Selector) Unresolved() string {
	texts := Values{s.Name}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		texts = append(texts, s.Labels[name]...)
	}
	for _, text := range texts {
		if strings.Contains(text, "${") {
			return text
		}
	}
	return ""
}

// String is the selector for people: gpu=nvenc|vaapi old!=yes, or the name.
func (s Selector) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		var is []string
		for _, v := range s.Labels[name] {
			if not, negative := strings.CutPrefix(v, "!"); negative {
				parts = append(parts, name+"!="+not)
			} else {
				is = append(is, v)
			}
		}
		if len(is) > 0 {
			parts = append(parts, name+"="+strings.Join(is, "|"))
		}
	}
	if s.Name != "" {
		parts = append(parts, s.Name)
	}
	return strings.Join(parts, " ")
}

// MarshalJSON writes it as a file may have it: a name, or labels.
func (s Selector) MarshalJSON() ([]byte, error) {
	if s.Name != "" {
		return json.Marshal(s.Name)
	}
	return json.Marshal(s.Labels)
}

// UnmarshalJSON reads a name, or labels.
func (s *Selector) UnmarshalJSON(text []byte) error {
	*s = Selector{}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(`"`)) {
		return json.Unmarshal(text, &s.Name)
	}
	return json.Unmarshal(text, &s.Labels)
}

// MarshalJSON writes one value by itself.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// UnmarshalJSON reads a value or a list of them.
func (v *Values) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(`"`)) {
		*v = Values{""}
		return json.Unmarshal(text, &(*v)[0])
	}
	return json.Unmarshal(text, (*[]string)(v))
}
