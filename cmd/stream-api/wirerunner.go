package main

import (
	"stream-api/config"
	"stream-api/runners"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// runnerServices turns the services of the file into what the runner takes.
func runnerServices(cfg *config.Config) []runners.Service {
	var out []runners.Service
	for _, t := range cfg.Services.Types() {
		s := cfg.Services[t]
		v := runners.Service{
			Type: t, Capacity: s.Capacity, URL: s.URL, Class: s.Class(), Places: s.Places,
			Handover:    stream.Handover(s.Handover),
			OnStoreLoss: runners.StoreLoss(s.OnStoreLoss), OnSourceChange: runners.Reaction(s.OnSourceChange),
			OnNewSession: runners.Reaction(s.OnNewSession), StreamVars: s.StreamVars,
		}
		if e := s.Plugin.Exec; e != nil {
			v.Exec = runnerExec(e)
		}
		out = append(out, v)
	}
	return out
}

func runnerExec(e *config.Exec) *runners.Exec {
	return &runners.Exec{
		Path: e.Path, Args: e.Args, Env: e.Env, EnvFile: e.EnvFile,
		Stop:    supervisor.Stop(e.Stop),
		Restart: supervisor.Restart(e.Restart),
		Stall:   e.Stall, PreStart: commandList(e.Hooks.PreStart), PostStop: commandList(e.Hooks.PostStop),
		HookTimeout: e.Hooks.Timeout,
	}
}

func commandList(list config.Commands) [][]stream.Template {
	out := make([][]stream.Template, 0, len(list))
	for _, c := range list {
		out = append(out, c)
	}
	return out
}
