package config

import (
	"regexp"
	"strings"
	"time"

	"stream-api/internal/confine"
	"stream-api/runners/plan"
	"stream-api/stream"
)

// The plugins of sources.
const (
	PluginPoll   = "poll"
	PluginStatic = "static"
	PluginExec   = "exec"
)

// Source announces streams.
type Source struct {
	// Name is unique; it is part of keys and of the path /hooks/<name>. Host
	// variables are resolved.
	Name         string          `yaml:"-"`
	NameTemplate stream.Template `yaml:"name" scopes:"host"`
	// Plugin is poll, static or exec.
	Plugin string     `yaml:"plugin" validate:"required,oneof=poll static exec"`
	Vars   SourceVars `yaml:"vars"`
	// Chain is what its streams get, unless a rule says otherwise.
	Chain Chain `yaml:"chain"`
	// Priority of its streams, 0 to 899; higher is first in line.
	Priority int `yaml:"priority" validate:"gte=0,lte=899"`
	// Rank orders sources of the same stream; the higher wins.
	// A number, -1000 to 1000, once host variables are resolved; empty: 0.
	Rank stream.Template `yaml:"rank" scopes:"host"`
	// MaxStreams is how many it may announce; new ones beyond it are refused.
	MaxStreams int    `yaml:"max_streams" validate:"gte=1,lte=1000000"`
	Rules      []Rule `yaml:"rules" validate:"max=256"`
	// RulesVersion is what the rules claim to be: those of a higher version than
	// are in force replace them. 0: they replace only what they were made from.
	RulesVersion int `yaml:"rules_version" validate:"gte=0,lte=999999999"`
	// Expect are keys shown as missing while nobody publishes them.
	Expect []string `yaml:"expect" validate:"unique,dive,streamkey"`
	// Stream is what dependants see as ${source:…}, host variables
	// resolved.
	Stream map[string]string `yaml:"-"`

	StreamTemplates map[string]stream.Template `yaml:"stream" scopes:"host" validate:"max=64,dive,keys,var,endkeys"`
	// Labels say where the ingest stands; one that comes to nothing is none.
	Labels map[string]stream.Template `yaml:"labels" scopes:"host" validate:"max=32,dive,keys,label,endkeys"`

	// Confine is how far the program of plugin exec is kept from the host; nil: as
	// the file says for all.
	Confine *Confine `yaml:"confine"`
	// Policy is what comes of that.
	Policy confine.Policy `yaml:"-"`

	// path is where the file has it, for messages: sources[0] or sources.ingest.
	path string
	// old says that services.<type> with source: true declared it.
	old bool
}

// SourceVars are the plugin's settings. The tag only lists the plugins that
// know the key, where not all do.
type SourceVars struct {
	// Interval is the time between two looks.
	Interval time.Duration `yaml:"interval" validate:"gte=100ms,lte=1h"`
	// Timeout is for one look as a whole.
	Timeout time.Duration `yaml:"timeout" only:"poll exec" validate:"gte=100ms,lte=10m"`
	// GoneAfter is how long a stream must be unlisted before it is gone.
	GoneAfter time.Duration `yaml:"gone_after" validate:"gte=0s,lte=24h"`
	// Match picks the keys that count; nil: all.
	Match *regexp.Regexp `yaml:"match"`

	// URL is the ingest's base, http or https.
	URL stream.Template `yaml:"url" only:"poll" scopes:"host env file" validate:"httpurl"`
	// Type is the ingest's kind.
	Type string `yaml:"type" only:"poll" validate:"oneof=icecast srtrelay nginx-rtmp mediamtx srs"`
	// User and Password are for HTTP Basic authentication at the ingest.
	User     stream.Template `yaml:"user" only:"poll" scopes:"host env file"`
	Password stream.Template `yaml:"password" only:"poll" scopes:"host env file"`

	// CA is a file of certificates to be believed instead of the machine's.
	CA string `yaml:"ca" only:"poll" validate:"abspath"`

	// Pull is the base of ${stream:url}, or with ${stream:key} in it the whole
	// of it; empty: the source's ${source:url}.
	Pull stream.Template `yaml:"pull" only:"poll" scopes:"host stream:key" validate:"pullurl"`
	// Strip is a prefix taken off the listed names, such as live/.
	Strip string `yaml:"strip" only:"poll" validate:"max=64"`
	// StallAfter without new bytes a stream is shown as stalled.
	StallAfter time.Duration `yaml:"stall_after" only:"poll" validate:"gte=1s,lte=1h"`

	// Command is run for each look: a path or name, then its arguments.
	Command plan.Command `yaml:"command" only:"exec" scopes:"host env file" validate:"max=256"`

	// Streams are those that are always there.
	Streams []StaticStream `yaml:"streams" only:"static"`
}

// StaticStream is one entry of a static source: a key, or a map of key and
// variables.
type StaticStream struct {
	Key  string
	Vars map[string]string
}

// decodeSources reads a list of sources, or a map from names to sources, which
// merges over several files. A source of a map has its key for a name unless it
// says another.
func (d *decoder) decodeSources(n *node, path string, out *[]Source) {
	*out = nil
	switch n.kind {
	case listKind:
		for i, item := range n.items {
			at := element(path, i)
			d.index[at] = entry{key: at, at: item.at, value: item}
			*out = append(*out, d.source(item, at))
		}
	case mapKind:
		for _, e := range n.entries {
			at := join(path, e.key)
			d.index[at] = e
			if e.value.kind == nullKind {
				if !d.warnings.about(at) { // that it was taken back says as much
					d.warn(e.at, at, "the source is empty and not polled")
				}
				continue
			}
			if e.value.kind != mapKind { // one source, perhaps, that is no item of a list
				d.problem(e.value.at, at, "a source is expected, as sources is a list of them or a map from names to them, but this is %s", e.value.kind)
				continue
			}
			s := d.source(e.value, at)
			if _, named := e.value.find("name"); !named {
				name, called := &node{kind: scalarKind, at: e.at, text: e.key}, join(at, "name")
				d.index[called] = entry{key: "name", at: e.at, value: name}
				d.decode(name, called, &s.NameTemplate, rules{scopes: "host"})
			}
			*out = append(*out, s)
		}
	default:
		d.problem(n.at, path, "a list of sources is expected, or a map from names to sources, but this is %s", n.kind)
	}
}

func (d *decoder) source(n *node, path string) Source {
	var s Source
	d.decode(n, path, &s, rules{})
	s.path = path
	return s
}

func (s *StaticStream) decode(d *decoder, n *node, path string, _ rules) {
	switch n.kind {
	case scalarKind:
		d.decode(n, path, &s.Key, rules{validate: "streamkey"})
	case mapKind:
		rest := &node{kind: mapKind, at: n.at}
		for _, e := range n.entries {
			if e.key != "key" {
				rest.entries = append(rest.entries, e)
				continue
			}
			d.decode(e.value, join(path, "key"), &s.Key, rules{validate: "streamkey"})
		}
		if _, ok := n.find("key"); !ok {
			d.problem(n.at, path, "key is missing")
		}
		d.decode(rest, path, &s.Vars, rules{validate: "max=64,dive,keys,streamvar,endkeys,plain"})
	default:
		d.problem(n.at, path, "a stream key is expected, or a map such as {key: s1, lang: de}, but this is %s", n.kind)
	}
}

// decodeCommand reads a program and its arguments, each a template that resolves
// to one argument.
func (d *decoder) decodeCommand(n *node, path string, c *plan.Command, r rules) {
	if n.kind == scalarKind {
		if strings.ContainsAny(n.text, " \t\n") {
			d.problem(n.at, path, "write the command as a list, each argument one item: no shell reads it")
			return
		}
		n = &node{kind: listKind, at: n.at, items: []*node{n}}
	}
	var list []stream.Template
	d.decode(n, path, &list, r)
	*c = list
	if n.kind != listKind {
		return
	}
	if len(n.items) == 0 {
		d.problem(n.at, path, "the command is empty")
		return
	}
	if err := checkProgram(n.items[0].text); err != nil {
		d.problem(n.items[0].at, path, "%v", err)
	}
}
