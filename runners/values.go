package runners

import (
	"strconv"

	"stream-api/store"
	"stream-api/stream"
)

// values are what templates can know of a stream: everything that comes from
// the store.
type values struct {
	Vars    map[string]string `json:"vars,omitempty"`   // ${stream:…}
	Origin  map[string]string `json:"origin,omitempty"` // ${source:…}
	Source  string            `json:"source,omitempty"`
	Session string            `json:"session,omitempty"`
	// Slots are what the slots publish: ${<slot>:…}.
	Slots map[string]map[string]string `json:"slots,omitempty"`
}

// valuesOf reads them off a record.
func valuesOf(r store.Record) values {
	v := values{Vars: r.Vars, Origin: r.Origin, Source: r.Source, Session: r.Sys["session"], Slots: map[string]map[string]string{}}
	for slot, s := range r.Slots {
		if len(s.Vars) > 0 && slot == stream.OwnSlot(slot) {
			v.Slots[slot] = s.Vars
		}
	}
	return v
}

// from takes over where the stream comes from from old.
func (v values) from(old values) values {
	v.Origin, v.Source, v.Session = old.Origin, old.Source, old.Session
	return v
}

// seat is where one slot runs: what templates know besides the stream.
type seat struct {
	key, slot, host, token string
	place                  int
	placeVars              map[string]string
}

// lookup finds references: of the stream in v, of the host by here.
func (s seat) lookup(v values, here stream.Lookup) stream.Lookup {
	return func(ref stream.Ref) (string, bool, error) {
		switch ref.Scope {
		case "stream":
			if ref.Name == "key" {
				return s.key, true, nil
			}
			return find(v.Vars, ref.Name)
		case "source":
			if value, ok := v.Origin[ref.Name]; ok || ref.Name != "name" {
				return value, ok, nil
			}
			return v.Source, v.Source != "", nil
		case "place":
			if ref.Name == "index" {
				return strconv.Itoa(s.place), true, nil
			}
			return find(s.placeVars, ref.Name)
		case "slot":
			return s.token, true, nil // the parser lets no other name through
		case "host":
			if ref.Name == "name" {
				return s.host, true, nil
			}
			return here(ref)
		case "env", "file":
			return here(ref)
		}
		return find(v.Slots[ref.Scope], ref.Name)
	}
}

func find(vars map[string]string, name string) (string, bool, error) {
	value, ok := vars[name]
	return value, ok, nil
}
