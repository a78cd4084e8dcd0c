package config

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"stream-api/runners/plan"
	"stream-api/stream"
)

// Describe writes what was understood, for people. Passwords are masked,
// references to secrets stay references.
func (c *Config) Describe(w io.Writer) error {
	p := &page{}
	p.line("host       %s%s", c.Network.Name, pairs(c.Network.Vars, " (", ")"))
	if len(c.Network.Labels) > 0 {
		p.line("labels     %s", c.Labels())
	}
	p.line("redis      %s%s", maskURL(c.Network.Redis.String()), optional(", namespace ", c.Network.Namespace))
	p.line("lease      %s, a beat every %s; when the store is lost: %s", short(c.Lease.TTL), short(c.Lease.Beat), c.Lease.OnStoreLoss)
	p.line("state      %s", c.StateDir)
	p.line("confine    %s", c.Confine)
	if c.Scheduler.Enabled {
		p.line("scheduler  takes part; avoids a host for %s after it gave a slot up", short(c.Scheduler.Cooldown))
	} else {
		p.line("scheduler  not on this host")
	}
	p.line("web        %s", c.Web.describe())
	p.line("log        %s, format %s", c.Log.Level, c.Log.Format)
	for i := range c.Sources {
		c.Sources[i].describe(p)
	}
	if len(c.Sources) == 0 {
		p.line("\nno sources here: other hosts announce the streams")
	}
	for _, name := range c.Services.Types() {
		c.Services[name].describe(p, c)
	}
	if len(c.Services) == 0 {
		p.line("\nno services here: this host runs nothing")
	}
	if len(c.Warnings) > 0 {
		p.line("\nwarnings:")
		for _, warning := range c.Warnings {
			p.line("%s", warning)
		}
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (w Web) describe() string {
	if w.Listen == "" {
		return "off"
	}
	text := w.Listen
	if w.TLS != nil {
		text += ", TLS by " + w.TLS.Cert
	}
	switch {
	case w.TokenFile != "":
		text += ", token from " + w.TokenFile
	case w.Token.String() != "":
		text += ", token from " + maskDefaults(w.Token.String())
	default:
		text += ", without a token"
	}
	if len(w.Hosts) > 0 {
		text += ", also called " + strings.Join(w.Hosts, ", ")
	}
	return text + ", asynqmon " + strings.ReplaceAll(w.Asynqmon, "_", "-")
}

func (s *Source) describe(p *page) {
	v := s.Vars
	p.line("\nsource %s: %s%s", s.Name, s.Plugin, s.describeInput())
	look := "looks every " + short(v.Interval)
	if s.Plugin != PluginStatic {
		look += ", waits " + short(v.Timeout) + " for the answer"
	}
	p.line("  %s; gone %s after it was last listed%s", look, short(v.GoneAfter), matching(v.Match))
	if s.Plugin == PluginPoll {
		p.line("  stalled    after %s without new bytes", short(v.StallAfter))
	}
	if v.CA != "" {
		p.line("  believes   the certificates of %s", v.CA)
	}
	if pull := v.Pull.String(); pull != "" {
		p.line("  pulled     from %s", maskURL(pull))
	}
	if v.Strip != "" {
		p.line("  strips     %s off the names", stream.Quote(v.Strip))
	}
	p.line("  chain      %s", s.Chain)
	p.line("  priority   %d, rank %s", s.Priority, cmp.Or(s.Rank.String(), "0"))
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		p.line("  label      %s=%s", name, s.Labels[name])
	}
	if s.RulesVersion > 0 {
		p.line("  rules      of version %d", s.RulesVersion)
	}
	for _, r := range s.Rules {
		text := r.Match.String() + ":"
		if r.Chain.Slots != nil {
			text += " chain " + r.Chain.String()
		}
		if r.Priority != nil {
			text += fmt.Sprintf(" priority %d", *r.Priority)
		}
		p.line("  rule       %s%s", text, pairs(r.Vars, " ", ""))
	}
	if s.Confine != nil {
		p.line("  confine    %s", s.Confine)
	}
	if len(s.Expect) > 0 {
		p.line("  expects    %s", strings.Join(s.Expect, ", "))
	}
	if len(s.Stream) > 0 {
		p.line("  publishes %s", pairs(s.Stream, " ", ""))
	}
}

func (s *Source) describeInput() string {
	v := s.Vars
	switch s.Plugin {
	case PluginPoll:
		return " " + v.Type + " at " + maskURL(v.URL.String()) + optional(" as ", v.User.String())
	case PluginExec:
		return " " + words(v.Command)
	}
	keys := make([]string, len(v.Streams))
	for i, entry := range v.Streams {
		keys[i] = entry.Key + pairs(entry.Vars, " (", ")")
	}
	return " " + strings.Join(keys, ", ")
}

func (s *Service) describe(p *page, c *Config) {
	e := s.Exec
	if e == nil {
		p.line("\nservice %s: static, runs nothing", s.Type)
	} else {
		p.line("\nservice %s: exec %s%s", s.Type, e.Path, optional(" ", words(e.Args)))
	}
	capacity := "no limit"
	if s.Capacity != nil {
		capacity = fmt.Sprint(*s.Capacity)
	}
	class := s.Class
	p.line("  capacity   %s%s%s", capacity, optional(", only streams that match ", class.Filter), optional(", first those that match ", class.Prefer))
	if len(s.Uses) > 0 {
		p.line("  uses       %s", s.Uses)
	}
	if class.Needs != "" {
		p.line("  waits for  %s", class.Needs)
	}
	if s.URL != "" {
		p.line("  url        %s", maskURL(s.URL))
	}
	for i, place := range s.Places {
		p.line("  place %-4d %s", i, strings.TrimSpace(pairs(place, "", "")))
	}
	for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
		p.line("  publishes  %s = %s", name, oneLine(maskValue(name, s.StreamVars[name].String())))
	}
	if e != nil {
		describeExec(e, p, c)
	}
	if runsOf(c.chains(), s.Type).jobs || s.Tries != defaultTries() {
		p.line("  tries      of a job: %d, after %s, up to %s", s.Tries.Max, short(s.Tries.Delay), short(s.Tries.MaxDelay))
	}
	if s.Confine != nil {
		p.line("  confine    %s", s.Confine)
	}
	if c := s.Check; c != nil {
		p.line("  check      %s, every %s, within %s; unwell after %d, well after %d", checkText(c), short(c.Interval), short(c.Timeout), c.Fall, c.Rise)
	}
	changed := ""
	if s.OnChange.Do != "" {
		changed = fmt.Sprintf("values changed: %s; ", s.OnChange)
	}
	p.line("  handover   %s; store lost: %s; %ssource changed: %s; new session: %s", s.Handover, s.OnStoreLoss, changed, s.SourceChange(), s.OnNewSession)
}

func describeExec(e *plan.Exec, p *page, c *Config) {
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		p.line("  env        %s = %s", name, oneLine(maskValue(name, e.Env[name].String())))
	}
	for _, file := range e.EnvFile {
		p.line("  env file   %s", c.describeEnvFile(file))
	}
	p.line("  stop       %s, KILL after %s", e.Stop.Signal, short(e.Stop.Grace))
	giveUp := "never gives up"
	if e.Restart.GiveUpAfter > 0 {
		giveUp = fmt.Sprintf("gives up after %d ends within %s", e.Restart.GiveUpAfter, short(e.Restart.Within))
	}
	p.line("  restart    after %s, up to %s; %s", short(e.Restart.Delay), short(e.Restart.MaxDelay), giveUp)
	if len(e.Done) > 0 {
		p.line("  done       with code %s, as a job", strings.Trim(fmt.Sprint(e.Done), "[]"))
	}
	if e.Stall > 0 {
		p.line("  stall      restarted after %s without a sign of life", short(e.Stall))
	}
	if text := e.Limits.String(); text != "" {
		p.line("  limits     %s", text)
	}
	if r := e.Ready; r != nil {
		p.line("  ready      %s, asked every %s, within %s", readyText(r), short(r.Interval), short(r.Timeout))
	}
	hooks := 0
	for kind, commands := range e.Hooks.Each() {
		for _, command := range commands {
			p.line("  %-10s %s", kind, words(command))
			hooks++
		}
	}
	if hooks > 0 {
		p.line("  hooks      each killed after %s", short(e.Hooks.Timeout))
	}
}

// pairs writes name=value of a map between two marks; nothing for none.
func pairs(m map[string]string, before, after string) string {
	if len(m) == 0 {
		return ""
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		texts = append(texts, name+"="+oneLine(maskValue(name, m[name])))
	}
	return before + strings.Join(texts, " ") + after
}

func words(list []stream.Template) string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = maskURL(t.String())
		if texts[i] == "" || strings.ContainsAny(texts[i], " \t\n\"'") {
			texts[i] = fmt.Sprintf("%q", texts[i])
		}
	}
	return strings.Join(texts, " ")
}

// oneLine quotes what would break the page.
func oneLine(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}

func optional(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func matching(re *regexp.Regexp) string {
	if re == nil {
		return ""
	}
	return "; only keys that match " + re.String()
}
