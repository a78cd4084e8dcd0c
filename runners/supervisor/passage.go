package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"stream-api/internal/confine"
	"stream-api/program"
)

// policy is what the child is kept from, its own slot's files among that.
func (s *Spec) policy() confine.Policy {
	p := s.Confine
	p.Hidden = append(slices.Clone(p.Hidden), s.Dir)
	return p
}

// mine are the places in the slot's directory that are the child's own.
func (s *Spec) mine() []string {
	return []string{filepath.Join(s.Dir, dirWork), filepath.Join(s.Dir, dirVars), filepath.Join(s.Dir, dirEnv), filepath.Join(s.Dir, fileProgress)}
}

// passage makes the passage of one start; nil if the child is kept from nothing.
func (l *life) passage(spec Spec) (*confine.Passage, error) {
	if !spec.Confine.Confines() {
		return nil, nil
	}
	passage, err := spec.policy().Passage(spec.mine()...)
	if err != nil {
		return nil, err
	}
	if closed := passage.Closed(); len(closed) > 0 {
		l.journal.say("confine: %s cannot be listed, so what lies there beside hidden places is hidden, too", strings.Join(closed, ", "))
	}
	return passage, nil
}

// hidden says of a program that the kernel refused whether it is only hidden from the child; nil if not.
func (s *Spec) hidden(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	for _, file := range []string{path, program.Interpreter(path)} {
		if place := s.policy().Hiding(file, s.mine()...); place != "" {
			return fmt.Errorf("%s lies where confine hides the host's own files (%s): put it elsewhere, or write confine: none for this service", file, place)
		}
	}
	return nil
}
