package main

import (
	"maps"
	"slices"
	"strings"

	"stream-api/config"
	"stream-api/internal/confine"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// lacks is what the file asks for and this machine does not hold, for the store.
func lacks(cfg *config.Config) string {
	var all []string
	if cfg.ConfinesAnything() {
		for _, lack := range confine.Ask().Lacks() {
			all = append(all, "confine: "+lack)
		}
	}
	return strings.Join(append(all, unheldLimits(cfg)...), "; ")
}

// unheldLimits are the limits of the file's services that children of this
// process would not be held to, each with its services.
func unheldLimits(cfg *config.Config) []string {
	of := map[string][]string{}
	for _, name := range cfg.Services.Types() {
		s := cfg.Services[name]
		if s.Plugin.Exec == nil {
			continue
		}
		err := supervisor.CheckLimits(s.Plugin.Exec.Limits)
		if err == nil {
			continue
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			of[line] = append(of[line], name)
		}
	}
	var out []string
	for _, line := range slices.Sorted(maps.Keys(of)) {
		out = append(out, line+" ("+strings.Join(of[line], ", ")+")")
	}
	return out
}

// lacking says for each kind of host what of its file does not hold there.
func lacking(hosts []stream.HostStatus) []string {
	by := map[string][]string{}
	for _, h := range hosts {
		if h.Lacks != "" {
			by[h.Lacks] = append(by[h.Lacks], harmless(h.Host))
		}
	}
	var out []string
	for _, lacks := range slices.Sorted(maps.Keys(by)) {
		out = append(out, "Not all that the file asks for holds on "+strings.Join(by[lacks], ", ")+": "+harmless(lacks)+".")
	}
	return out
}
