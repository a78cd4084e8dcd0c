package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Trial is what this host would start for one slot, for a person who runs it
// by hand. Nothing is claimed for it.
type Trial struct {
	supervisor.Exec // empty for what runs nothing
	// Publishes are the variables that the service itself publishes.
	Publishes map[string]string
}

// MissingError names every value that a start would wait for, or fail for.
type MissingError struct{ Refs []stream.Ref }

func (e *MissingError) Error() string {
	names := make([]string, len(e.Refs))
	for i, ref := range e.Refs {
		names[i] = ref.String()
	}
	return "no value for " + strings.Join(names, ", ")
}

// Try fills in everything that a start of the subject on this host would be
// given; its slot and its place's variables follow from the service. Error:
// *MissingError with all that is missing.
func (s *Service) Try(at Subject, v Values, here stream.Lookup) (Trial, error) {
	if n := len(s.Places); at.Place < 0 || n > 0 && at.Place >= n {
		return Trial{}, fmt.Errorf("%s has no place %d: they are counted from 0 to %d", s.Type, at.Place, max(n-1, 0))
	}
	at.Instance, at.PlaceVars = stream.Numbered(s.Type, 1).String(), s.PlaceVars(at.Place)
	if missing, err := s.missing(at.Lookup(v, here)); err != nil || len(missing) > 0 {
		if err == nil {
			err = &MissingError{Refs: missing}
		}
		return Trial{}, err
	}
	own, err := s.Published(at, v, here)
	if err != nil || s.Exec == nil {
		return Trial{Publishes: own}, err
	}
	e, err := s.Child(at, v, here)
	if err != nil {
		return Trial{}, err
	}
	return Trial{Exec: e, Publishes: own}, nil
}

// missing lists the references without a value and without a default.
func (s *Service) missing(lookup stream.Lookup) ([]stream.Ref, error) {
	var out []stream.Ref
	for _, use := range s.Templates() {
		for _, ref := range use.Template.Refs() {
			_, err := use.Template.Resolve(func(r stream.Ref) (string, bool, error) {
				if r != ref {
					return "", true, nil
				}
				return lookup(r)
			})
			switch {
			case errors.Is(err, stream.ErrMissing) && !slices.Contains(out, ref):
				out = append(out, ref)
			case err != nil && !errors.Is(err, stream.ErrMissing):
				return nil, err
			}
		}
	}
	return out, nil
}
