package runners

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// Trial is what this host would start for one slot, for a person who runs it
// by hand. Nothing is claimed for it.
type Trial struct {
	Path string // absolute, or to be found in the PATH of Env
	Args []string
	// Env is the whole environment but for what a supervisor adds: its files.
	Env                []string
	PreStart, PostStop []supervisor.Hook
	// Secrets are values in the above that may not be shown.
	Secrets []string
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

// Try fills in everything that a start of the stream's slot at a place on this
// host would be given. Error: *MissingError with all that is missing.
func (s *Service) Try(host, token string, place int, rec store.Record, here stream.Lookup) (Trial, error) {
	if n := len(s.Places); place < 0 || n > 0 && place >= n {
		return Trial{}, fmt.Errorf("%s has no place %d: they are counted from 0 to %d", s.Type, place, max(n-1, 0))
	}
	at := plan.Subject{Key: rec.Key, Slot: s.Type, Host: host, Token: token, Place: place}
	if place < len(s.Places) {
		at.PlaceVars = s.Places[place]
	}
	v := ValuesOf(rec)
	if missing, err := s.missing(at.Lookup(v, here)); err != nil || len(missing) > 0 {
		if err == nil {
			err = &MissingError{Refs: missing}
		}
		return Trial{}, err
	}
	own, err := s.published(at, v, here)
	if err != nil || s.Exec == nil {
		return Trial{Publishes: own}, err
	}
	s.complete(Keep)
	p, err := s.Exec.resolve(at, v, here)
	if err != nil {
		return Trial{}, err
	}
	return Trial{
		Path: p.Path, Args: p.Args, Env: p.Env, PreStart: p.PreStart, PostStop: p.PostStop, Secrets: p.Mask, Publishes: own,
	}, nil
}

// missing lists the references without a value and without a default.
func (s *Service) missing(lookup stream.Lookup) ([]stream.Ref, error) {
	var all []stream.Template
	if e := s.Exec; e != nil {
		all = slices.Concat(e.Args, slices.Concat(e.PreStart...), slices.Concat(e.PostStop...))
		for _, name := range slices.Sorted(maps.Keys(e.Env)) {
			all = append(all, e.Env[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
		all = append(all, s.StreamVars[name])
	}
	var out []stream.Ref
	for _, t := range all {
		for _, ref := range t.Refs() {
			_, err := t.Resolve(func(r stream.Ref) (string, bool, error) {
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
