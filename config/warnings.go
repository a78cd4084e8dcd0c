package config

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	runnable "stream-api/program"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// warnMachine says what this machine lacks. It is no error: the file may be
// checked on another machine than the one it is for.
func (d *decoder) warnMachine(c *Config) {
	if _, meant := d.index["services"]; !meant && !c.OffersAnything() {
		d.warn(d.at("services"), "services", "there are no services and no sources: this host runs nothing and polls nothing, and at a reload it would stop "+
			"and release what it runs; write services: {} if that is meant")
	}
	if info, err := os.Stat(c.StateDir); err == nil && !info.IsDir() {
		d.warn(d.valueAt("state_dir"), "state_dir", "%s is no directory; the host would not start", c.StateDir)
	}
	d.warnDevices(c)
	d.warnSecrets("network.redis", c.Network.Redis)
	d.warnSecrets("web.token", c.Web.Token)
	if c.Web.TokenFile != "" {
		d.warnFile("web.token_file", c.Web.TokenFile)
	}
	if t := c.Web.TLS; t != nil {
		d.warnFile("web.tls.cert", t.Cert)
		d.warnFile("web.tls.key", t.Key)
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		path := s.path
		for _, use := range s.templates(path) {
			d.warnSecrets(use.path, use.template)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Stream)) {
			d.warnPublished(join(path, "stream."+name), s.Stream[name])
		}
		d.warnPublishedBySource(s, path)
		if m := s.Vars.Match; m != nil && s.Vars.Strip != "" && strings.HasPrefix(m.String(), "^"+regexp.QuoteMeta(s.Vars.Strip)) {
			at := join(path, "vars.match")
			d.warn(d.at(at), at, "match looks at keys, from which strip has taken %s: it can match none of them; leave that out of match", stream.Quote(s.Vars.Strip))
		}
		if s.Vars.CA != "" {
			d.warnFile(join(path, "vars.ca"), s.Vars.CA)
		}
		if len(s.Vars.Command) > 0 {
			d.warnPipe(s.Vars.Command, join(path, "vars.command"))
			d.warnProgram(element(join(path, "vars.command"), 0), s.Vars.Command[0].String())
			d.warnArguments(join(path, "vars.command"), s.Vars.Command)
		}
	}
	for _, name := range c.Services.Types() {
		s := c.Services[name]
		path := join("services", name)
		for _, use := range s.templates(path) {
			d.warnSecrets(use.path, use.template)
		}
		for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
			d.warnPublished(join(path, "stream_vars."+name), s.StreamVars[name].String())
		}
		d.warnPublished(join(path, "url"), s.URLTemplate.String())
		if check := s.Check; check != nil && len(check.Command) > 0 {
			at := join(path, "check.command")
			d.warnProgram(element(at, 0), check.Command[0].String())
			d.warnArguments(at, check.Command)
		}
		if e := s.Plugin.Exec; e != nil {
			d.warnUntold(s, path)
			d.warnProgram(join(path, "plugin.path"), e.Path)
			d.warnCommands(join(path, "plugin"), e)
			d.warnLimits(join(path, "plugin.limits"), e.Limits)
			for i, file := range e.EnvFile {
				d.warnEnvFile(c, element(join(path, "plugin.env_file"), i), file)
			}
			for name, commands := range e.Hooks.Each() {
				for i, command := range commands {
					d.warnProgram(element(element(join(path, "plugin.hooks."+name), i), 0), command[0].String())
				}
			}
			if e.Ready != nil && len(e.Ready.Command) > 0 {
				d.warnProgram(join(path, "plugin.ready.command[0]"), e.Ready.Command[0].String())
			}
		}
	}
}

// warnDevices finds a device in the places of two services: both would run on it
// at once, as each knows its own capacity only.
func (d *decoder) warnDevices(c *Config) {
	first := map[string]string{}
	for _, name := range c.Services.Types() {
		seen := map[string]bool{}
		for i, place := range c.Services[name].Places {
			for _, value := range slices.Sorted(maps.Values(place)) {
				other, taken := first[value]
				if !strings.HasPrefix(value, "/dev/") || seen[value] || taken && covered(c.Services[other], c.Services[name]) {
					continue
				}
				seen[value] = true
				if !taken {
					first[value] = name
					continue
				}
				path := element(join(join("services", name), "places"), i)
				d.warn(d.at(path), path, "%s is in the places of %s, too: both would run on it at the same time, as neither counts the slots of the other: write network.pools, and uses for both", value, other)
			}
		}
	}
}

// warnUntold finds what may change in the arguments of a program that is not started anew
// for it.
func (d *decoder) warnUntold(s *Service, path string) {
	if s.OnChange.Do != plan.Ignore && s.OnChange.Do != plan.Signal {
		return
	}
	for i, arg := range s.Exec.Args {
		at := element(join(path, "plugin.args"), i)
		for _, ref := range arg.Refs() {
			if ref.OfSlot() || ref.Scope == "stream" || ref.Scope == "source" || ref.OfItem() || ref.Scope == "slot" && ref.Name == "lead" {
				d.warn(d.valueAt(at), at, "%s may change, and on_change is %s: a program that runs sees new values in STREAM_API_ENV, and never other arguments; put it into env", ref, s.OnChange)
				break
			}
		}
	}
}

// checkMachine is replaced by tests, which see one machine everywhere.
var checkMachine = supervisor.CheckMachine

// warnLimits tells of limits for which this machine has no cgroup v2.
func (d *decoder) warnLimits(path string, limits supervisor.Limits) {
	err := checkMachine(limits)
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range all.Unwrap() {
			d.warn(d.at(path), path, "%v; on this machine it would run without", err)
		}
	}
}

func (d *decoder) warnProgram(path, program string) {
	at := d.valueAt(path)
	file, err := lookPath(program)
	if err != nil {
		d.warn(at, path, "no program %s in PATH; on this machine it would fail", stream.Quote(program))
		return
	}
	if err := runnable.Check(file); err != nil {
		d.warn(at, path, "%v; on this machine it would fail", err)
	}
}

// lookPath finds a program as this process would.
func lookPath(program string) (string, error) {
	if strings.HasPrefix(program, "/") {
		return program, nil
	}
	return exec.LookPath(program)
}

// warnPipe: of a pipe only the last command's exit code counts, so that a
// failed first one looks like an ingest without streams.
func (d *decoder) warnPipe(c plan.Command, path string) {
	switch filepath.Base(c[0].String()) {
	case "sh", "bash", "dash", "ash", "zsh":
	default:
		return
	}
	for i, arg := range c[1:] {
		text := arg.String()
		if strings.Contains(strings.ReplaceAll(text, "||", ""), "|") && !strings.Contains(text, "pipefail") {
			at := element(path, i+1)
			d.warn(d.valueAt(at), at, "when a command before the | fails nobody notices, and all streams end: write [bash, -c, \"set -o pipefail; …\"]")
		}
	}
}

func (d *decoder) warnFile(path, file string) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		d.warn(d.valueAt(path), path, "%s is no regular file", file) // to open a pipe would block
		return
	}
	f, err := os.Open(file)
	if err != nil {
		d.warn(d.valueAt(path), path, "cannot be read on this machine: %v", err)
		return
	}
	// Nothing was written, so closing cannot lose anything.
	_ = f.Close()
}

// warnSecrets looks for the variables and files a template reads here.
func (d *decoder) warnSecrets(path string, t stream.Template) {
	for _, ref := range t.Refs() {
		if !ref.Secret() || ref.HasDefault {
			continue
		}
		_, ok, err := lookupSecret(ref)
		switch {
		case err != nil:
			d.warn(d.valueAt(path), path, "%s: %v", ref, err)
		case !ok && ref.Scope == "env":
			d.warn(d.valueAt(path), path, "%s: the variable is not set here", ref)
		case !ok:
			d.warn(d.valueAt(path), path, "%s: the file does not exist on this machine", ref)
		}
	}
}

// warnPublished finds passwords in what everyone may read.
func (d *decoder) warnPublished(path, text string) {
	if publicPassword(text) {
		d.warn(d.valueAt(path), path, "the password in this URL is stored in Redis, where everyone who can read it sees it")
	}
}

// warnPublishedBySource does so for what becomes variables of its streams.
func (d *decoder) warnPublishedBySource(s *Source, path string) {
	d.warnPublished(join(path, "vars.pull"), s.Vars.Pull.String())
	for i, rule := range s.Rules {
		d.warnPublishedVars(join(element(join(path, "rules"), i), "vars"), rule.Vars)
	}
	for i, entry := range s.Vars.Streams {
		d.warnPublishedVars(element(join(path, "vars.streams"), i), entry.Vars)
	}
}

func (d *decoder) warnPublishedVars(path string, vars map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		d.warnPublished(join(path, name), vars[name])
	}
}

// warnChains says of each service whether the chains known here can satisfy
// its needs. Chains of other hosts are not known, so it is no error.
func (d *decoder) warnChains(c *Config) {
	chains := c.chains()
	for _, name := range c.Services.Types() {
		path := join("services", name)
		for _, use := range c.Services[name].templates(path) {
			for _, need := range stream.Needs(use.template) {
				d.warnNeed(c, chains, name, need, use.path)
			}
		}
	}
	d.warnItems(c, chains)
	d.warnJobs(c, chains)
	d.warnCycles(c)
	d.warnNear(c)
}

// chains are the distinct chains of the sources and rules here.
func (c *Config) chains() map[string]Chain {
	chains := map[string]Chain{}
	add := func(chain Chain) { chains[chain.String()] = chain }
	for _, s := range c.Sources {
		add(s.Chain)
		for _, r := range s.Rules {
			if r.Chain.Slots != nil {
				add(Chain{Slots: r.Chain.Slots, Items: r.Chain.Items.Under(r.Chain.Slots, s.Chain.Items)})
			}
		}
	}
	return chains
}

func (d *decoder) warnNeed(c *Config, chains map[string]Chain, service string, need stream.Need, path string) {
	at := d.valueAt(path)
	if other, ok := c.Services[need.Slot]; ok && other.Plugin.Name == PluginStatic {
		if _, published := other.StreamVars[need.Var]; !published {
			d.warn(at, path, "waits for %s, but the static service %s here publishes no %q%s", need, need.Slot, need.Var,
				suggest(need.Var, slices.Collect(maps.Keys(other.StreamVars))))
		}
	}
	if len(chains) == 0 {
		return
	}
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(chains)) {
		chain, runs := chains[name], false
		for _, slot := range chain.Slots {
			known[slot] = true
			runs = runs || chain.Items.Type(slot) == service
		}
		if runs && !slices.Contains(chain.Slots, need.Slot) {
			d.warn(at, path, "waits for %s, but the chain [%s] has %s without %s: there it would wait for ever", need, strings.Join(chain.Slots, ", "), service, need.Slot)
		}
	}
	if !known[need.Slot] {
		d.warn(at, path, "waits for %s, but no chain here has a slot %q%s", need, need.Slot, suggest(need.Slot, slices.Sorted(maps.Keys(known))))
	}
}

// warnItems says what in the chains here can never have a value: a variable of a slot
// that is not in the chain, and one of its item that a service uses and the item lacks.
func (d *decoder) warnItems(c *Config, chains map[string]Chain) {
	for _, name := range slices.Sorted(maps.Keys(chains)) {
		chain := chains[name]
		for _, slot := range chain.Slots {
			item := chain.Items[slot]
			for _, need := range item.Needs() {
				if !slices.Contains(chain.Slots, need.Slot) {
					d.warn(d.at("sources"), "sources", "vars of %s wait for %s, but the chain [%s] has no %s: there it would wait for ever", slot, need, strings.Join(chain.Slots, ", "), need.Slot)
				}
			}
			d.warnOwn(c, chain, slot)
		}
		for _, job := range chain.Items.Jobs() {
			d.warnOwn(c, chain, job)
		}
	}
}

// warnOwn finds ${slot:…} of a service that the item of a slot it runs does not give.
func (d *decoder) warnOwn(c *Config, chain Chain, slot string) {
	t := chain.Items.Type(slot)
	service := c.Services[t]
	if service == nil {
		return
	}
	for _, use := range service.templates(join("services", t)) {
		for _, ref := range use.template.Refs() {
			if _, given := chain.Items[slot].Vars[ref.Name]; ref.OfItem() && !ref.HasDefault && !given {
				d.warn(d.valueAt(use.path), use.path, "%s has no value for %s %s of the chain [%s], so that it cannot start there: write {%s: %s, vars: {%s: …}}, or a default%s",
					ref, kindOf(chain, slot), slot, strings.Join(chain.Slots, ", "), kindOf(chain, slot), slot, ref.Name, suggest(ref.Name, slices.Collect(maps.Keys(chain.Items[slot].Vars))))
			}
		}
	}
}

// warnCycles finds services of this host that wait for each other.
func (d *decoder) warnCycles(c *Config) {
	waits := map[string][]string{}
	for name, s := range c.Services {
		for _, need := range s.Needs() {
			waits[name] = append(waits[name], need.Slot)
		}
	}
	for _, start := range c.Services.Types() {
		if trail := cycle(waits, start); trail != nil && start == slices.Min(trail) {
			path := join("services", start)
			d.warn(d.at(path), path, "waits in a circle: %s → %s; none of them could ever start", strings.Join(trail, " → "), start)
		}
	}
}

// warnNear finds slots that wish to be near each other: whichever is placed first has
// nothing to be near to.
func (d *decoder) warnNear(c *Config) {
	for i := range c.Sources {
		s := &c.Sources[i]
		d.warnNearIn(s.Chain.Slots, s.Chain.Items, join(s.path, "chain"))
		for k, r := range s.Rules {
			d.warnNearIn(r.Chain.Slots, r.Chain.Items.Under(r.Chain.Slots, s.Chain.Items), join(element(join(s.path, "rules"), k), "chain"))
		}
	}
}

func (d *decoder) warnNearIn(chain []string, items stream.Items, path string) {
	wishes := map[string][]string{}
	for _, slot := range chain {
		wishes[slot] = items[slot].Near
	}
	for i, start := range chain {
		if trail := cycle(wishes, start); trail != nil && start == slices.Min(trail) {
			at := element(path, i)
			d.warn(d.at(at), at, "near goes in a circle: %s → %s; the wish of whichever is placed first cannot be heeded", strings.Join(trail, " → "), start)
		}
	}
}

// cycle is the way from start back to start, or nil.
func cycle(waits map[string][]string, start string) []string {
	visited := map[string]bool{}
	var walk func(at string, trail []string) []string
	walk = func(at string, trail []string) []string {
		for _, next := range waits[at] {
			if next == start {
				return trail
			}
			if visited[next] {
				continue
			}
			visited[next] = true
			if found := walk(next, append(trail[:len(trail):len(trail)], next)); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(start, []string{start})
}
