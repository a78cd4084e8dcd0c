package config

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"stream-api/stream"
)

// Services are what this host offers, by type.
type Services map[string]*Service

// Types are the types in alphabetical order.
func (s Services) Types() []string { return slices.Sorted(maps.Keys(s)) }

// Service is what this host offers for one type. Capacity, filter and URL may
// also be written under global_vars.
type Service struct {
	Type   string `yaml:"-"`
	Plugin Plugin `yaml:"plugin" validate:"required"`
	// Capacity is how many slots fit; nil: no limit.
	Capacity *int `yaml:"capacity" validate:"omitempty,gte=0,lte=1000000"`
	// URL is where the service is, for Redis and people: url, else
	// stream_vars.url if that needs nothing but the host; else empty.
	URL         string          `yaml:"-"`
	URLTemplate stream.Template `yaml:"url" scopes:"host"`
	// StreamFilter lets only matching streams in; nil: all.
	StreamFilter *regexp.Regexp `yaml:"stream_filter"`
	// StreamPrefer draws matching streams here first; nil: no opinion.
	StreamPrefer *regexp.Regexp `yaml:"stream_prefer"`
	// Places are the seats with their variables, ${place:<name>}.
	Places []map[string]string `yaml:"places" validate:"max=10000,dive,dive,keys,placevar,endkeys,plain"`
	// Handover is stop_first or start_first.
	Handover string `yaml:"handover" validate:"oneof=stop_first start_first"`
	// OnStoreLoss is keep or stop; as lease.on_store_loss if not given.
	OnStoreLoss string `yaml:"on_store_loss" validate:"omitempty,oneof=keep stop"`
	// OnSourceChange (restart or ignore): the stream's source is another.
	OnSourceChange string `yaml:"on_source_change" validate:"oneof=restart ignore"`
	// OnNewSession (restart or ignore): the publisher began anew.
	OnNewSession string `yaml:"on_new_session" validate:"oneof=restart ignore"`
	// StreamVars are published while the slot runs; they are stored in
	// Redis, so no ${env:} or ${file:} may be in them.
	StreamVars map[string]stream.Template `yaml:"stream_vars" scopes:"stream source host place slot *" validate:"max=64,dive,keys,var,endkeys"`
}

// Plugin is how the service works: static runs nothing, exec runs a program.
type Plugin struct {
	Name string
	// Exec is nil for static.
	Exec *Exec
}

// Exec is a program run per slot.
type Exec struct {
	// Path is absolute, or a name found in PATH. It is no template.
	Path string `yaml:"path" validate:"required,program"`
	// Args are one argument each.
	Args []stream.Template `yaml:"args" validate:"max=256"`
	// Env is the child's environment beside what every child gets.
	Env map[string]stream.Template `yaml:"env" validate:"max=256,dive,keys,envname,endkeys"`
	// EnvFile are files of lines NAME=value, read at each start on this
	// host; Env wins over them, later files over earlier ones.
	EnvFile []string `yaml:"env_file" validate:"unique,dive,abspath"`
	Stop    Stop     `yaml:"stop"`
	Restart Restart  `yaml:"restart"`
	// Stall is the time without a sign of life after which the child is
	// restarted; 0: never.
	Stall time.Duration `yaml:"stall" validate:"omitempty,gte=1s,lte=24h"`
	Hooks Hooks         `yaml:"hooks"`
}

// Stop says how a child is asked to end.
type Stop struct {
	// Signal is a name such as TERM.
	Signal string `yaml:"signal" validate:"oneof=TERM INT QUIT HUP USR1 USR2 KILL"`
	// Grace is the time until KILL; 0: at once.
	Grace time.Duration `yaml:"grace" validate:"gte=0s,lte=10m"`
}

// Restart says what happens when a child ends by itself.
type Restart struct {
	// Delay is before the first restart; it doubles up to MaxDelay.
	Delay    time.Duration `yaml:"delay" validate:"gte=10ms,lte=1h"`
	MaxDelay time.Duration `yaml:"max_delay" validate:"gte=10ms,lte=1h"`
	// GiveUpAfter ends within Within the slot is given up here; 0: never.
	GiveUpAfter int           `yaml:"give_up_after" validate:"gte=0,lte=1000"`
	Within      time.Duration `yaml:"within" validate:"gte=1s,lte=24h"`
}

// Hooks are commands around a child's life.
type Hooks struct {
	// PreStart run in order before each start; a failure is one of the
	// child.
	PreStart Commands `yaml:"pre_start" validate:"max=16"`
	// PostStop run in order after every end, a deadline's included.
	PostStop Commands `yaml:"post_stop" validate:"max=16"`
	// Timeout is for each command; then it is killed.
	Timeout time.Duration `yaml:"timeout" validate:"gte=100ms,lte=5m"`
}

// Commands is a list of commands. One command may be written as the list of
// its arguments: [curl, -s, …] is [[curl, -s, …]].
type Commands []Command

func (c *Commands) decode(d *decoder, n *node, path string, r rules) {
	nested := n.kind == listKind && (len(n.items) == 0 || n.items[0].kind == listKind)
	if !nested && n.kind != mapKind {
		n = &node{kind: listKind, at: n.at, items: []*node{n}}
	}
	var list []Command
	d.decode(n, path, &list, r)
	*c = list
}

func (p *Plugin) decode(d *decoder, n *node, path string, _ rules) {
	name, at, rest := n.text, n.at, &node{kind: mapKind, at: n.at}
	switch n.kind {
	case scalarKind:
	case mapKind:
		e, ok := n.find("name")
		if !ok {
			d.problem(n.at, path, "name is missing: static or exec")
			return
		}
		d.index[join(path, "name")] = e
		name, at = e.value.text, e.value.at
		for _, e := range n.entries {
			if e.key != "name" {
				rest.entries = append(rest.entries, e)
			}
		}
	default:
		d.problem(n.at, path, "static is expected, or a map {name: exec, path: …}, but this is %s", n.kind)
		return
	}
	switch p.Name = name; name {
	case PluginStatic:
		for _, e := range rest.entries {
			d.problem(e.at, join(path, e.key), "plugin static runs nothing, so %s has no meaning here", e.key)
		}
	case PluginExec:
		p.Exec = &Exec{}
		d.decode(rest, path, p.Exec, rules{})
	case PluginPoll:
		d.problem(at, path, "plugin poll belongs to a source: write it under sources:, or add source: true")
	default:
		d.problem(at, path, "%s is no plugin of a service: static or exec%s", stream.Quote(name), suggest(name, []string{PluginStatic, PluginExec}))
	}
}
