package main

import (
	"fmt"

	"stream-api/config"
	"stream-api/sources"
	"stream-api/stream"
)

// sourceConfig turns one source of the file into what the poller takes.
func sourceConfig(cfg *config.Config, s config.Source) (sources.Config, error) {
	out := sources.Config{
		Name: s.Name, Plugin: s.Plugin,
		Interval: s.Vars.Interval, Timeout: s.Vars.Timeout, GoneAfter: s.Vars.GoneAfter, StallAfter: s.Vars.StallAfter,
		Match: s.Vars.Match, Chain: s.Chain.Slots, Items: s.Chain.Items, Priority: s.Priority, Rank: s.Rank.String(), MaxStreams: s.MaxStreams, Expect: s.Expect,
		RulesVersion: int64(s.RulesVersion),
	}
	out.SourceVars, out.Labels = written(s.StreamTemplates), written(s.Labels)
	out.Resolve = func(text string) (string, error) {
		t, err := stream.ParseTemplate(text)
		if err != nil {
			return "", err
		}
		return cfg.ResolvePull(t)
	}
	for _, r := range s.Rules {
		out.Rules = append(out.Rules, sources.Rule{Match: r.Match, Chain: r.Chain.Slots, Items: r.Chain.Items, Priority: r.Priority, Vars: r.Vars})
	}
	for _, v := range s.Vars.Streams {
		out.Mounts = append(out.Mounts, stream.Mount{Key: v.Key, Vars: v.Vars, Bytes: -1})
	}
	var err error
	resolve := func(what string, t stream.Template) string {
		value, resolveErr := cfg.Resolve(t)
		if resolveErr != nil && err == nil {
			err = fmt.Errorf("source %s: %s: %w", s.Name, what, resolveErr)
		}
		return value
	}
	switch s.Plugin {
	case config.PluginPoll:
		out.Type = s.Vars.Type
		out.URL = resolve("url", s.Vars.URL)
		out.User = resolve("user", s.Vars.User)
		out.Password = resolve("password", s.Vars.Password)
		out.Pull = s.Vars.Pull.String()
		out.CA, out.Strip = s.Vars.CA, s.Vars.Strip
	case config.PluginExec:
		command, commandErr := s.Vars.Command.Resolve(cfg.Lookup)
		if commandErr != nil {
			return sources.Config{}, fmt.Errorf("source %s: command: %w", s.Name, commandErr)
		}
		out.Command, out.Confine = command, s.Policy
	}
	return out, err
}

// written are templates as the file has them; nil for none.
func written(templates map[string]stream.Template) map[string]string {
	if len(templates) == 0 {
		return nil
	}
	out := make(map[string]string, len(templates))
	for name, t := range templates {
		out[name] = t.String()
	}
	return out
}
