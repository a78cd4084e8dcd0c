package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// Overrides are an operator's words on a stream; they outlive polls.
type Overrides struct {
	Held  bool
	Vars  map[string]string
	Pins  map[string]string // slot → host
	Slots map[string]bool   // slot → whether it is switched on or off
}

// What is said of a slot that is switched.
const (
	SwitchOn  = "on"
	SwitchOff = "off"
)

func readOverrides(row map[string]string) Overrides {
	o := Overrides{Held: row["held"] != "", Vars: map[string]string{}, Pins: map[string]string{}, Slots: map[string]bool{}}
	for field, value := range row {
		scope, name, _ := strings.Cut(field, ":")
		switch {
		case scope == "var":
			o.Vars[name] = value
		case scope == "pin":
			o.Pins[name] = value
		case scope == "slot" && (value == SwitchOn || value == SwitchOff) && stream.CheckType(name) == nil:
			o.Slots[name] = value == SwitchOn // anything else is an edit
		}
	}
	return o
}

// Switch is the chain as an operator wants it: without the slots that are
// switched off, and behind it those that are switched on and not in it, by name,
// as far as a stream may have so many.
func (o Overrides) Switch(chain []string) []string {
	out := make([]string, 0, len(chain))
	for _, slot := range chain {
		if on, said := o.Slots[slot]; on || !said {
			out = append(out, slot)
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(o.Slots)) {
		if o.Slots[slot] && !slices.Contains(chain, slot) && len(out) < stream.MaxChain {
			out = append(out, slot)
		}
	}
	return out
}

// Unswitch is what the chain was before Switch, but for the order of its slots.
func (o Overrides) Unswitch(chain []string) []string {
	turned := Overrides{Slots: make(map[string]bool, len(o.Slots))}
	for slot, on := range o.Slots {
		turned.Slots[slot] = !on
	}
	return turned.Switch(chain)
}

// Switched lists the slots that are switched on, or off, by name.
func (o Overrides) Switched(on bool) []string {
	var out []string
	for slot, is := range o.Slots {
		if is == on {
			out = append(out, slot)
		}
	}
	slices.Sort(out)
	return out
}

// Override changes an operator's words on a stream: fields are held, var:<name>,
// pin:<slot> and slot:<slot> (SwitchOn or SwitchOff); an empty value takes the
// word back.
func (s *Store) Override(ctx context.Context, key string, fields map[string]string) error {
	args := []any{key, stream.Because(stream.CodeOverride, "words", words(fields)).Wire()}
	r, err := s.call(ctx, "override", pairs(args, fields)...)
	if err != nil {
		return err
	}
	if r.status() != "ok" {
		return r.unexpected("override")
	}
	return nil
}

// words tells of overrides without the values of variables, which may be secrets.
func words(fields map[string]string) string {
	var said []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		scope, name, _ := strings.Cut(field, ":")
		value := fields[field]
		text := scope + " " + name
		switch {
		case scope == "held" && value == "":
			text = "not held"
		case scope == "held":
			text = "held"
		case value == "":
			text += " taken back"
		case scope != "var":
			text += " " + value
		}
		said = append(said, text)
	}
	return strings.Join(said, ", ")
}
