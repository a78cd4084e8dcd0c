package config

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stream-api/internal/confine"
	"stream-api/stream"
)

// Confine says how far children are kept from the host. It is written as a
// level, or as a map with one.
type Confine struct {
	// Level is none or hide.
	Level confine.Level `yaml:"level" validate:"required,oneof=none hide"`
	// Require fails what the kernel cannot keep away, instead of starting it.
	Require bool `yaml:"require"`
}

// written is Confine without its second spelling.
type written Confine

func (c *Confine) decode(d *decoder, n *node, path string, r rules) {
	if n.kind == scalarKind {
		*c = Confine{}
		d.decode(n, path, &c.Level, rules{validate: "oneof=none hide"})
		return
	}
	d.decode(n, path, (*written)(c), r)
}

// finishConfine gives every program of the file its policy.
func (d *decoder) finishConfine(c *Config) {
	ours := c.ours()
	for i := range c.Sources {
		s := &c.Sources[i]
		s.Policy = c.policy(s.Confine, ours, filesIn(s.templates("")))
		if s.Confine != nil && s.Plugin != PluginExec {
			path := join(s.path, "confine")
			d.problem(d.at(path), path, "plugin %s runs nothing, so confine has no meaning here", s.Plugin)
		}
	}
	for _, name := range c.Services.Types() {
		s := c.Services[name]
		if s.Exec != nil {
			s.Exec.Confine = c.policy(s.Confine, ours, c.filesOf(s))
			if s.Check != nil {
				s.Check.Confine = s.Exec.Confine
			}
		} else if s.Confine != nil {
			path := join(join("services", name), "confine")
			d.problem(d.at(path), path, "plugin static runs nothing, so confine has no meaning here")
		}
		if s.Exec == nil && s.Check != nil {
			s.Check.Confine = c.policy(nil, ours, filesIn(s.templates("")))
		}
	}
}

// ConfineAs is the policy of a service at another level than the file gives it.
func (c *Config) ConfineAs(stype string, level confine.Level) (confine.Policy, error) {
	if level != confine.None && level != confine.Hide {
		return confine.Policy{}, fmt.Errorf("%s is not one of none, hide", stream.Quote(string(level)))
	}
	s := c.Services[stype]
	own := Confine{Level: level}
	if was := cmp.Or(s.Confine, c.Confine); was.Level == level {
		own.Require = was.Require
	}
	return c.policy(&own, c.ours(), c.filesOf(s)), nil
}

// policy is what comes of one confine: hidden is what is the host's, files what
// of that is the program's own.
func (c *Config) policy(own *Confine, hidden, files []string) confine.Policy {
	own = cmp.Or(own, c.Confine)
	p := confine.Policy{Level: own.Level, Require: own.Require}
	if p.Confines() {
		p.Hidden, p.Own = hidden, unique(files)
	}
	return p
}

// filesOf are those that the service's program is given, but for what only a
// start can name.
func (c *Config) filesOf(s *Service) []string {
	files, _ := c.envPlaces(s.Exec)
	return append(filesIn(s.templates("")), files...)
}

// ConfinesAnything tells whether any program of the file is confined.
func (c *Config) ConfinesAnything() bool {
	for _, s := range c.Services {
		if s.Exec != nil && s.Exec.Confine.Confines() {
			return true
		}
	}
	return slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Plugin == PluginExec && s.Policy.Confines() })
}

// ours are the files that a child has no business with, and the state.
func (c *Config) ours() []string {
	out := []string{c.StateDir}
	for _, file := range c.Files {
		if path, err := filepath.Abs(file); err == nil {
			out = append(out, path)
		}
	}
	if c.Web.TokenFile != "" {
		out = append(out, c.Web.TokenFile)
	}
	if c.Web.TLS != nil {
		out = append(out, c.Web.TLS.Key)
	}
	uses := []use{{"network.redis", c.Network.Redis}, {"web.token", c.Web.Token}}
	for i := range c.Sources {
		uses = append(uses, c.Sources[i].templates("")...)
	}
	for _, s := range c.Services {
		uses = append(uses, s.templates("")...)
		if s.Exec != nil {
			files, dirs := c.envPlaces(s.Exec)
			out = append(append(out, files...), dirs...)
		}
	}
	return unique(append(out, filesIn(uses)...))
}

// filesIn are the files of ${file:…}.
func filesIn(uses []use) []string {
	var out []string
	for _, use := range uses {
		for _, ref := range use.template.Refs() {
			if ref.Scope == "file" {
				out = append(out, ref.Name)
			}
		}
	}
	return out
}

// unique sorts paths; none are nil, as what is read back from a file is.
func unique(paths []string) []string {
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	if len(paths) == 0 {
		return nil
	}
	return paths
}

// warnConfine says what the programs of the file would miss.
func (d *decoder) warnConfine(c *Config) {
	confines := false
	for i := range c.Sources {
		s := &c.Sources[i]
		if len(s.Vars.Command) > 0 {
			confines = confines || s.Policy.Confines()
			d.warnHidden(s.Policy, join(s.path, "vars.command"), s.Vars.Command)
		}
	}
	for _, name := range c.Services.Types() {
		if check := c.Services[name].Check; check != nil {
			d.warnHidden(check.Confine, join(join("services", name), "check.command"), check.Command)
		}
		e := c.Services[name].Exec
		if e == nil {
			continue
		}
		at, p := join(join("services", name), "plugin"), e.Confine
		for _, file := range e.EnvFile {
			p = p.With(withoutRefs(file.String())) // what a start names is its own
		}
		confines = confines || p.Confines()
		d.warnHiddenText(p, join(at, "path"), e.Path)
		d.warnSetUID(p, join(at, "path"), e.Path)
		d.warnHidden(p, join(at, "args"), e.Args)
		for _, name := range slices.Sorted(maps.Keys(e.Env)) {
			d.warnHiddenText(p, join(at, "env."+name), e.Env[name].String())
		}
		for kind, commands := range e.Hooks.Each() {
			for i, command := range commands {
				where := element(join(at, "hooks."+kind), i)
				d.warnHidden(p, where, command)
				d.warnSetUID(p, element(where, 0), command[0].String())
			}
		}
		if r := e.Ready; r != nil {
			d.warnHiddenText(p, join(at, "ready.file"), r.File.String())
			d.warnHidden(p, join(at, "ready.command"), r.Command)
		}
	}
	if !confines {
		return
	}
	policy := confine.Policy{Level: confine.Hide, Hidden: []string{c.StateDir}}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if policy.Within(dir) != "" {
			d.warn(d.at("state_dir"), "state_dir", "%s lies below %s, where confined programs can therefore make no temporary files: put it elsewhere, or set TMPDIR in env", c.StateDir, dir)
		}
	}
}

func (d *decoder) warnHidden(p confine.Policy, at string, command []stream.Template) {
	for i, t := range command {
		d.warnHiddenText(p, element(at, i), t.String())
	}
}

// warnHiddenText looks for paths in a text: a program, an argument, or words of
// a shell.
func (d *decoder) warnHiddenText(p confine.Policy, at, text string) {
	text = withoutRefs(text)
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\"'`=,:;|&<>()@", r) }) {
		if !filepath.IsAbs(word) || word == "/" {
			continue
		}
		if place := p.Hiding(word); place != "" {
			d.warn(d.valueAt(at), at, "%s is hidden from it by confine, as part of %s: put it elsewhere, give it by env_file or ${file:…} of this service, or write confine: none", word, place)
		}
	}
}

// withoutRefs leaves out of a template what only a start can tell.
func withoutRefs(text string) string {
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			return text
		}
		_, after, _ := strings.Cut(rest, "}")
		text = before + "\x00" + after
	}
}

// warnSetUID: no_new_privs takes the effect from sudo, ping and their kind.
func (d *decoder) warnSetUID(p confine.Policy, at, program string) {
	if !p.Confines() {
		return
	}
	file, err := lookPath(program)
	if err != nil {
		return // that is said already
	}
	if info, err := os.Stat(file); err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		d.warn(d.valueAt(at), at, "%s is set-uid, which has no effect under confine; write confine: none for what needs it", file)
	}
}

// String is for people.
func (c *Confine) String() string {
	if c.Require {
		return string(c.Level) + ", or no start"
	}
	return string(c.Level)
}
