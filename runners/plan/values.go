package plan

import (
	"errors"
	"slices"
	"strconv"

	"stream-api/stream"
)

// Values are what templates can know of a stream: everything that comes from
// the store.
type Values struct {
	Vars    map[string]string `json:"vars,omitempty"`   // ${stream:…}
	Origin  map[string]string `json:"origin,omitempty"` // ${source:…}
	Source  string            `json:"source,omitempty"`
	Session string            `json:"session,omitempty"`
	// Slots are what the slots say: ${<slot>:…}.
	Slots map[string]map[string]string `json:"slots,omitempty"`
	// Lists are what all instances of slots say, those that are used, by the text of their
	// need: ${<slot>*:…}.
	Lists map[string]string `json:"lists,omitempty"`
	// Own are the variables of the slot's item, as its chain has them: ${slot:…}.
	Own map[string]string `json:"own,omitempty"`
	// Of are, for a job, what is known of the child that it comes after: ${of:…}.
	Of   map[string]string `json:"of,omitempty"`
	Lead bool              `json:"lead,omitempty"` // ${slot:lead}: yes or no
	Copy int               `json:"copy,omitempty"` // ${slot:copy}
}

// from takes over where the stream comes from from old.
func (v Values) from(old Values) Values {
	v.Origin, v.Source, v.Session = old.Origin, old.Source, old.Session
	return v
}

// Subject is whom a child is for and where it runs: what templates know besides
// the stream.
type Subject struct {
	Key, Instance, Host, Token string
	Place                      int
	PlaceVars                  map[string]string
}

// OfJob tells whether it is a job.
func (s Subject) OfJob() bool { return stream.IsJob(s.Instance) }

// Lookup finds references: of the stream in v, of the host by here.
func (s Subject) Lookup(v Values, here stream.Lookup) stream.Lookup {
	return func(ref stream.Ref) (string, bool, error) {
		switch ref.Scope {
		case "stream":
			if ref.Name == "key" {
				return s.Key, true, nil
			}
			return find(v.Vars, ref.Name)
		case "source":
			if value, ok := v.Origin[ref.Name]; ok || ref.Name != "name" {
				return value, ok, nil
			}
			return v.Source, v.Source != "", nil
		case "place":
			if ref.Name == "index" {
				return strconv.Itoa(s.Place), true, nil
			}
			return find(s.PlaceVars, ref.Name)
		case "slot":
			return s.own(v, ref.Name)
		case stream.ScopeOf:
			return find(v.Of, ref.Name)
		case "host":
			if ref.Name == "name" {
				return s.Host, true, nil
			}
			return here(ref)
		case "env", "file":
			return here(ref)
		}
		if ref.All {
			return find(v.Lists, ref.Need().String())
		}
		return find(v.Slots[ref.Scope], ref.Name)
	}
}

// Lists are the lists that the service uses, itself or by the variables of its slot's item.
func (s *Service) Lists(own map[string]string) []stream.Need {
	var out []stream.Need
	add := func(t stream.Template) {
		for _, ref := range t.Refs() {
			if ref.All && !slices.Contains(out, ref.Need()) {
				out = append(out, ref.Need())
			}
		}
	}
	for _, use := range s.Templates() {
		add(use.Template)
	}
	for _, text := range own {
		if t, err := stream.ParseTemplate(text); err == nil {
			add(t)
		}
	}
	return out
}

// own are the values of the instance itself.
func (s Subject) own(v Values, name string) (string, bool, error) {
	switch name {
	case "lead":
		if v.Lead {
			return "yes", true, nil
		}
		return "no", true, nil
	case "copy":
		return strconv.Itoa(max(v.Copy, 1)), true, nil
	case "token":
		return s.Token, true, nil
	case "name":
		return stream.SlotOf(s.Instance), true, nil
	case "instance":
		return s.Instance, true, nil
	}
	text, ok := v.Own[name]
	if !ok {
		return "", false, nil
	}
	return s.ofItem(v, text)
}

// ofItem fills in a variable of the slot's item, which may be made of what is known of
// the stream, its source and its other slots. A value that is missing there is missing
// here.
func (s Subject) ofItem(v Values, text string) (string, bool, error) {
	t, err := stream.ParseTemplate(text)
	if err != nil {
		return "", false, err
	}
	known := s.Lookup(v, nil)
	value, err := t.Resolve(func(ref stream.Ref) (string, bool, error) {
		if ref.OfSlot() || ref.Scope == "stream" || ref.Scope == "source" || ref.Scope == stream.ScopeOf {
			return known(ref)
		}
		return "", false, nil // a hand wrote it
	})
	if errors.Is(err, stream.ErrMissing) {
		return "", false, nil
	}
	return value, err == nil, err
}

func find(vars map[string]string, name string) (string, bool, error) {
	value, ok := vars[name]
	return value, ok, nil
}
