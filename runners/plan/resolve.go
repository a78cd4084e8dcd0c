package plan

import (
	"fmt"
	"slices"
	"strings"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Resolve fills in everything a child is started with. The error names the
// value that is missing or the file that does not read, and no secret.
func (e *Exec) Resolve(at Subject, v Values, here stream.Lookup) (supervisor.Exec, error) {
	var secrets secrets
	lookup := secrets.noting(at.Lookup(v, here))
	out := supervisor.Exec{Path: e.Path, Rules: e.Rules, Confine: e.Confine}
	var err error
	if out.Args, err = resolveAll(e.Args, lookup, "argument"); err != nil {
		return supervisor.Exec{}, err
	}
	files, err := e.envFiles(lookup)
	if err != nil {
		return supervisor.Exec{}, fmt.Errorf("env_file: %w", err)
	}
	for _, file := range files {
		out.Confine = out.Confine.With(file.path)
	}
	if out.Env, err = e.environ(at, files, lookup, &secrets); err != nil {
		return supervisor.Exec{}, err
	}
	if out.PreStart, err = e.hooks(e.Hooks.PreStart, lookup, "pre_start"); err != nil {
		return supervisor.Exec{}, err
	}
	if out.PostStop, err = e.hooks(e.Hooks.PostStop, lookup, "post_stop"); err != nil {
		return supervisor.Exec{}, err
	}
	if out.Ready, err = e.Ready.resolve(lookup); err != nil {
		return supervisor.Exec{}, err
	}
	slices.Sort(secrets)
	out.Mask = slices.Compact(secrets)
	return out, nil
}

// secrets are the values that may not be shown.
type secrets []string

func (s *secrets) add(value string) {
	if value != "" {
		*s = append(*s, value)
	}
}

// noting collects the secrets that pass through a lookup.
func (s *secrets) noting(lookup stream.Lookup) stream.Lookup {
	return func(ref stream.Ref) (string, bool, error) {
		value, ok, err := lookup(ref)
		if ok && ref.Secret() {
			s.add(value)
		}
		return value, ok, err
	}
}

func (e *Exec) hooks(commands Commands, lookup stream.Lookup, kind string) ([]supervisor.Hook, error) {
	var hooks []supervisor.Hook
	for _, command := range commands {
		argv, err := command.Resolve(lookup)
		if err != nil {
			return nil, fmt.Errorf("%s %w", kind, err)
		}
		hooks = append(hooks, supervisor.Hook{Argv: argv, Timeout: e.Hooks.Timeout})
	}
	return hooks, nil
}

// Resolve fills in the arguments. The error names the value that is missing.
func (c Command) Resolve(lookup stream.Lookup) ([]string, error) {
	return resolveAll(c, lookup, "argument")
}

func resolveAll(templates []stream.Template, lookup stream.Lookup, what string) ([]string, error) {
	var out []string
	for i, t := range templates {
		value, err := t.Resolve(lookup)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		if strings.HasPrefix(value, "-") && foreign(t) && !slices.Contains(out, "--") {
			return nil, fmt.Errorf("%s %d: %s gives it a \"-\" at its beginning, which would make it an option; write something before it, or -- as an argument before", what, i+1, t.Refs()[0])
		}
		out = append(out, value)
	}
	return out, nil
}

// foreign tells whether a template begins with what others say: a publisher, a
// source, another slot. A default is the file's own.
func foreign(t stream.Template) bool {
	if !strings.HasPrefix(t.String(), "${") {
		return false
	}
	first := t.Refs()[0]
	ours := first.HasDefault && strings.HasPrefix(first.Default, "-")
	return !ours && (first.OfSlot() || first.Scope == "stream" || first.Scope == "source" || first.Scope == stream.ScopeOf || first.OfItem())
}
