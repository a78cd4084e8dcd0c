package runners

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// filled is what a child is started with: every template filled in.
type filled struct {
	Path               string
	Args, Env          []string
	PreStart, PostStop []supervisor.Hook
	Mask               []string // secrets among the above
}

// same tells whether a child started with p needs no restart for q. What is
// masked is no difference of its own.
func (p filled) same(q filled) bool {
	hook := func(a, b supervisor.Hook) bool { return slices.Equal(a.Argv, b.Argv) && a.Timeout == b.Timeout }
	return p.Path == q.Path && slices.Equal(p.Args, q.Args) && slices.Equal(p.Env, q.Env) &&
		slices.EqualFunc(p.PreStart, q.PreStart, hook) && slices.EqualFunc(p.PostStop, q.PostStop, hook)
}

// planOf reads back what a living supervisor's child was started with.
func planOf(s supervisor.Spec) filled {
	return filled{Path: s.Path, Args: s.Args, Env: s.Env, PreStart: s.PreStart, PostStop: s.PostStop, Mask: s.Mask}
}

// inherited are the only variables of the daemon that a child sees.
var inherited = []string{"PATH", "HOME", "LANG", "TZ"}

// resolve fills in everything a child is started with. The error names the
// value that is missing or the file that does not read, and no secret.
func (e *Exec) resolve(at plan.Subject, v plan.Values, here stream.Lookup) (filled, error) {
	p := filled{Path: e.Path}
	lookup := p.noting(at.Lookup(v, here))
	var err error
	if p.Args, err = resolveAll(e.Args, lookup, "argument"); err != nil {
		return filled{}, err
	}
	env := map[string]string{}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	if err := p.readEnvFiles(e.EnvFile, env); err != nil {
		return filled{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		value, err := e.Env[name].Resolve(lookup)
		if err != nil {
			return filled{}, fmt.Errorf("env %s: %w", name, err)
		}
		env[name] = value
	}
	env["STREAM_API_STREAM"], env["STREAM_API_SLOT"] = at.Key, stream.OwnSlot(at.Slot)
	env["STREAM_API_HOST"], env["STREAM_API_TOKEN"] = at.Host, at.Token
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.Env = append(p.Env, name+"="+env[name])
	}
	if p.PreStart, err = e.hooks(e.PreStart, lookup, "pre_start"); err != nil {
		return filled{}, err
	}
	if p.PostStop, err = e.hooks(e.PostStop, lookup, "post_stop"); err != nil {
		return filled{}, err
	}
	slices.Sort(p.Mask)
	p.Mask = slices.Compact(p.Mask)
	return p, nil
}

// noting collects the secrets that pass through a lookup.
func (p *filled) noting(lookup stream.Lookup) stream.Lookup {
	return func(ref stream.Ref) (string, bool, error) {
		value, ok, err := lookup(ref)
		if ok && ref.Secret() && value != "" {
			p.Mask = append(p.Mask, value)
		}
		return value, ok, err
	}
}

// readEnvFiles adds the files' variables, later ones over earlier ones. All
// of their values count as secrets.
func (p *filled) readEnvFiles(files []string, env map[string]string) error {
	for _, file := range files {
		vars, err := readEnvFile(file)
		if err != nil {
			return fmt.Errorf("env_file: %w", err)
		}
		for name, value := range vars {
			env[name] = value
			if value != "" {
				p.Mask = append(p.Mask, value)
			}
		}
	}
	return nil
}

func (e *Exec) hooks(commands [][]stream.Template, lookup stream.Lookup, what string) ([]supervisor.Hook, error) {
	var hooks []supervisor.Hook
	for _, command := range commands {
		argv, err := resolveAll(command, lookup, what+" argument")
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, supervisor.Hook{Argv: argv, Timeout: e.HookTimeout})
	}
	return hooks, nil
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
	return !ours && (first.OfSlot() || first.Scope == "stream" || first.Scope == "source")
}

// errSecretVar: what is published is stored in the store, where no secret
// belongs.
var errSecretVar = errors.New("a published variable may not be made of ${env:…} or ${file:…}")

// published fills in the variables the service itself publishes.
func (s *Service) published(at plan.Subject, v plan.Values, here stream.Lookup) (map[string]string, error) {
	lookup := at.Lookup(v, here)
	out := make(map[string]string, len(s.StreamVars))
	for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
		value, err := s.StreamVars[name].Resolve(func(ref stream.Ref) (string, bool, error) {
			if ref.Secret() {
				return "", false, errSecretVar
			}
			return lookup(ref)
		})
		if err != nil {
			return nil, fmt.Errorf("stream_vars %s: %w", name, err)
		}
		out[name] = value
	}
	return out, nil
}
