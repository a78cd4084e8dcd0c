package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// finish checks the rules between keys and fills in what depends on more
// than one of them.
func (d *decoder) finish(c *Config) {
	d.checkLease(c)
	d.checkWeb(c)
	d.checkLabels(c)
	names := map[string]int{}
	for i := range c.Sources {
		path := c.Sources[i].path
		d.finishSource(c, &c.Sources[i], path)
		if first, twice := names[c.Sources[i].Name]; twice {
			d.problem(d.at(join(path, "name")), path, "a second source called %q; the first is in line %d (give each a name of its own)",
				c.Sources[i].Name, d.at(c.Sources[first].path).line)
			continue
		}
		names[c.Sources[i].Name] = i
	}
	for _, name := range c.Services.Types() {
		d.finishService(c, c.Services[name], join("services", name))
	}
	d.checkEnvFiles(c)
	d.checkPools(c)
	d.finishConfine(c)
}

// checkLease: a host trusts its lease until ttl − margin after a beat was
// sent (margin = 1 s + ttl/10, for clocks that run apart and a reply that is
// late); two beats may fail and the third must still come in time.
func (d *decoder) checkLease(c *Config) {
	l := c.Lease
	need := time.Second + l.TTL/10 + 3*l.Beat
	if l.TTL >= need {
		return
	}
	at := d.valueAt("lease.ttl")
	if _, given := d.index["lease.ttl"]; !given {
		at = d.valueAt("lease.beat")
	}
	d.problem(at, "lease", "ttl %s is too short for beat %s: it must be at least 1s + ttl/10 + 3 beats = 1s + %s + %s = %s; %s",
		short(l.TTL), short(l.Beat), short(l.TTL/10), short(3*l.Beat), short(need), leaseAdvice(l))
}

// leaseAdvice says which ttl suits the beat, in whole seconds, and which beat
// suits the ttl, if any does.
func leaseAdvice(l Lease) string {
	exact := (time.Second + 3*l.Beat) * 10 / 9
	advice := "raise ttl to " + short((exact + time.Second - 1).Truncate(time.Second))
	beat := (l.TTL - l.TTL/10 - time.Second) / 3
	if beat = beat.Truncate(10 * time.Millisecond); beat >= 50*time.Millisecond {
		advice += " or lower beat to " + short(beat)
	}
	return advice
}

// short writes 1m0s as 1m.
func short(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (d *decoder) checkWeb(c *Config) {
	w := c.Web
	if w.TokenFile != "" && w.Token.String() != "" {
		d.problem(d.at("web.token"), "web", "token and token_file are both given; use one")
	}
	if w.Listen == "" {
		return
	}
	host, err := splitListen(w.Listen)
	if err != nil || loopback(host) || w.TokenFile != "" || w.Token.String() != "" {
		return
	}
	d.problem(d.valueAt("web.listen"), "web.listen", "%s is reached from other machines, so it needs token_file (or token: ${env:NAME}); without one listen on 127.0.0.1 only", w.Listen)
}

func (d *decoder) finishSource(c *Config, s *Source, path string) {
	d.checkPluginKeys(s, path)
	d.finishName(c, s, join(path, "name"))
	d.checkRank(c, s, join(path, "rank"))
	d.checkSourceLabels(c, s, join(path, "labels"))
	switch {
	case s.Plugin == PluginPoll && s.Vars.URL.String() == "":
		d.missing(join(path, "vars"), "url", "plugin poll needs the ingest's url")
	case s.Plugin == PluginExec && len(s.Vars.Command) == 0:
		d.missing(join(path, "vars"), "command", "plugin exec needs a command")
	case s.Plugin == PluginStatic && len(s.Vars.Streams) == 0:
		d.missing(join(path, "vars"), "streams", "plugin static needs streams")
	}
	if (s.Vars.User.String() == "") != (s.Vars.Password.String() == "") {
		d.problem(d.at(join(path, "vars")), join(path, "vars"), "user and password belong together; only one is given")
	}
	if s.Vars.CA != "" && strings.HasPrefix(s.Vars.URL.String(), "http://") {
		d.problem(d.at(join(path, "vars.ca")), join(path, "vars.ca"), "certificates belong to https, and url begins with http://")
	}
	if _, given := d.index[join(path, "vars.stall_after")]; !given {
		s.Vars.StallAfter = stallAfter(s.Vars.Type)
	}
	seen := map[string]bool{}
	for i, entry := range s.Vars.Streams {
		if seen[entry.Key] && entry.Key != "" {
			at := element(join(path, "vars.streams"), i)
			d.problem(d.at(at), at, "stream %q is here for the second time", entry.Key)
		}
		seen[entry.Key] = true
	}
	d.finishChain(c, s, path)
	d.checkWith(s.Chain, nil)
	d.checkJobs(s.Chain)
	for i := range s.Rules {
		s.Rules[i].Chain.resolveJobs(s.Chain.Items)
		rule, at := s.Rules[i], element(join(path, "rules"), i)
		d.checkJobs(rule.Chain)
		d.checkGroupsAgainstVars(rule, at)
		d.checkWith(rule.Chain, s.Chain.Items)
	}
	d.checkHostRefs(c, s.templates(path))
	d.checkBases(c, s, path)
	d.resolveStream(c, s, path)
	d.checkPulled(c, s, path)
}

// finishName fills in the host's variables.
func (d *decoder) finishName(c *Config, s *Source, path string) {
	name, err := s.NameTemplate.Resolve(c.hostOnly)
	if err != nil {
		return // an unknown host variable: that is said
	}
	s.Name = name
	if err := checkSourceName(name); err != nil {
		d.problem(d.valueAt(path), path, "%v", err)
	}
}

// checkRank checks what the host's variables make of it.
func (d *decoder) checkRank(c *Config, s *Source, path string) {
	text, err := s.Rank.Resolve(c.hostOnly)
	if err != nil {
		return // an unknown host variable: that is said
	}
	if _, err := stream.ParseRank(text); err != nil {
		d.problem(d.valueAt(path), path, "%v", err)
	}
}

// checkPluginKeys: a key that another plugin knows is no typing error.
func (d *decoder) checkPluginKeys(s *Source, path string) {
	t := reflect.TypeFor[SourceVars]()
	for i := range t.NumField() {
		field := t.Field(i)
		only := strings.Fields(field.Tag.Get("only"))
		at := join(join(path, "vars"), field.Tag.Get("yaml"))
		if _, given := d.index[at]; given && len(only) > 0 && s.Plugin != "" && !slices.Contains(only, s.Plugin) {
			d.problem(d.at(at), at, "plugin %s does not know this key; it belongs to %s", s.Plugin, strings.Join(only, " and "))
		}
	}
}

// missing reports a key that is required, unless it is there and wrong.
func (d *decoder) missing(path, key, message string) {
	if e, given := d.index[join(path, key)]; given && e.value.kind != nullKind && (e.value.kind != scalarKind || e.value.text != "") {
		return
	}
	d.problem(d.at(path), path, "%s is missing: %s", key, message)
}

func (d *decoder) finishChain(c *Config, s *Source, path string) {
	if s.Chain.Slots != nil {
		return
	}
	if e, given := d.index[join(path, "chain")]; given && e.value.kind != nullKind {
		return // and wrong: that was said
	}
	if c.Chain.Slots != nil {
		s.Chain = c.Chain
		return
	}
	if e, given := d.index["chain"]; given && e.value.kind != nullKind {
		return
	}
	switch {
	case s.old:
		d.problem(d.at(path), "services."+s.Name, "a source without a chain: this older spelling takes it from a top-level chain:, such as `chain: [dist, transcode]`, which is missing")
	case len(s.Rules) == 0:
		d.problem(d.at(path), path, "chain is missing: which slots the streams of this source get")
	default:
		s.Chain.Slots = []string{}
		d.warn(d.at(path), path, "no chain: streams that match none of its rules get no slots")
	}
}

func (d *decoder) checkGroupsAgainstVars(rule Rule, path string) {
	if rule.Match == nil {
		return
	}
	for _, name := range rule.Match.SubexpNames() {
		if _, twice := rule.Vars[name]; twice && name != "" {
			at := join(join(path, "vars"), name)
			d.problem(d.at(at), at, "the group (?P<%s>…) of match sets this variable already", name)
		}
	}
}

// templates are all of the source and where they stand.
func (s *Source) templates(path string) []use {
	vars := join(path, "vars")
	uses := []use{
		{join(path, "name"), s.NameTemplate},
		{join(path, "rank"), s.Rank},
		{join(vars, "url"), s.Vars.URL},
		{join(vars, "user"), s.Vars.User},
		{join(vars, "password"), s.Vars.Password},
		{join(vars, "pull"), s.Vars.Pull},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		uses = append(uses, use{join(join(path, "labels"), name), s.Labels[name]})
	}
	for i, t := range s.Vars.Command {
		uses = append(uses, use{element(join(vars, "command"), i), t})
	}
	for _, name := range slices.Sorted(maps.Keys(s.StreamTemplates)) {
		uses = append(uses, use{join(path, "stream."+name), s.StreamTemplates[name]})
	}
	return uses
}

// checkBases checks the URLs once more, with the host's variables.
func (d *decoder) checkBases(c *Config, s *Source, path string) {
	for _, base := range []struct {
		key   string
		t     stream.Template
		check func(string) error
	}{{"url", s.Vars.URL, checkHTTP}, {"pull", s.Vars.Pull, checkPull}} {
		if len(base.t.Refs()) == 0 {
			continue
		}
		text, err := base.t.Resolve(c.withPlace)
		if err != nil {
			continue // with secrets it cannot be said yet; an unknown variable was
		}
		if err := base.check(text); err != nil {
			at := join(join(path, "vars"), base.key)
			d.problem(d.valueAt(at), at, "%v", err)
		}
	}
}

// checkPulled checks that streams' names have their place in what they are
// pulled from, which is pull or what dependants see as ${source:url}.
func (d *decoder) checkPulled(c *Config, s *Source, path string) {
	if s.Plugin != PluginPoll {
		return
	}
	at, text, instead := join(path, "vars.pull"), s.Stream["url"], ""
	if s.Vars.Pull.String() == "" {
		if _, given := s.StreamTemplates["url"]; !given {
			return // that of the ingest was checked
		}
		at, instead = join(path, "stream.url"), "; or give vars.pull, and dependants see this url as it is"
	} else {
		var err error
		if text, err = s.Vars.Pull.Resolve(c.withPlace); err != nil {
			return // said already
		}
	}
	if err := stream.CheckPull(text, s.Vars.Type == "srtrelay"); err != nil {
		d.problem(d.valueAt(at), at, "%v%s", err, instead)
	}
}

// resolveStream makes what dependants see as ${source:…}. The default url is
// the one polled, without user and password.
func (d *decoder) resolveStream(c *Config, s *Source, path string) {
	s.Stream = map[string]string{}
	for name, t := range s.StreamTemplates {
		value, err := t.Resolve(c.hostOnly)
		if err != nil {
			continue // an unknown host variable: that was said
		}
		s.Stream[name] = value
	}
	if _, given := s.StreamTemplates["url"]; given || s.Vars.URL.String() == "" || s.Plugin != PluginPoll {
		return
	}
	for _, ref := range s.Vars.URL.Refs() {
		if ref.Secret() {
			d.problem(d.valueAt(join(path, "vars.url")), join(path, "vars.url"),
				"%s is never published, so dependants would have no ${source:url}: say under stream: {url: …} what they may see", ref)
			return
		}
	}
	text, err := s.Vars.URL.Resolve(c.hostOnly)
	if err != nil {
		return
	}
	if u, err := url.Parse(text); err == nil {
		u.User = nil
		text = u.String()
	}
	s.Stream["url"] = text
}

// withPlace is hostOnly that leaves the place of a stream's name in pull.
func (c *Config) withPlace(ref stream.Ref) (string, bool, error) {
	if ref.String() == stream.PullPlace {
		return stream.PullPlace, true, nil
	}
	return c.hostOnly(ref)
}

// ResolvePull fills in a source's pull but for stream.PullPlace.
func (c *Config) ResolvePull(t stream.Template) (string, error) { return t.Resolve(c.withPlace) }

// hostOnly finds ${host:…}.
func (c *Config) hostOnly(ref stream.Ref) (string, bool, error) {
	if ref.Scope != "host" {
		return "", false, fmt.Errorf("%s is not known before a stream is", ref)
	}
	return c.Lookup(ref)
}
