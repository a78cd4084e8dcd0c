package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/config"
	"stream-api/internal/regular"
	"stream-api/runners/supervisor"
	"stream-api/sources"
	"stream-api/store"
	"stream-api/stream"
)

// examineWords finds operators' words that are easily forgotten: they outlive
// restarts and the evening they were meant for.
func examineWords(ctx context.Context, s *store.Store) ([]store.Finding, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Finding
	known := map[string]bool{}
	for _, h := range hosts {
		known[h.Host] = true
		if h.Want == stream.Cordoned || h.Want == stream.Draining {
			out = append(out, store.Finding{Level: store.Warning, What: fmt.Sprintf("host %s takes nothing new: an operator set it %s", h.Host, h.Want), Do: "stream-api hosts uncordon " + h.Host})
		}
		for _, v := range h.Services {
			if v.Paused {
				out = append(out, store.Finding{Level: store.Warning, What: fmt.Sprintf("%s on %s takes nothing new: its queue is paused in asynqmon", v.Type, h.Host), Do: "resume the queue " + v.Type + ":" + h.Host})
			}
		}
	}
	out = append(out, examinePages(hosts)...)
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.DeclaredOf(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, declared := range all {
		if declared.Overrides.Held {
			out = append(out, store.Finding{Level: store.Warning, What: "stream " + declared.Key + " is held by an operator", Do: "stream-api streams unhold " + declared.Key})
		}
		if text := switchText(declared.Overrides.Switched(true), declared.Overrides.Switched(false)); text != "" {
			out = append(out, store.Finding{Level: store.Warning, What: "slots of " + declared.Key + " are switched by an operator: " + text, Do: "stream-api streams slots " + declared.Key + " --reset"})
		}
		for slot, host := range declared.Overrides.Pins {
			if !known[host] {
				out = append(out, store.Finding{
					Level: store.Failure, What: fmt.Sprintf("%s of %s is pinned to %s, and there is no such host", slot, declared.Key, stream.Quote(host)),
					Do: fmt.Sprintf("stream-api streams move %s %s --unpin", declared.Key, slot),
				})
			}
		}
	}
	return out, nil
}

// examinePages finds pages to which the token goes in the clear.
func examinePages(hosts []store.HostRecord) []store.Finding {
	var plain []string
	for _, h := range hosts {
		if at, err := url.Parse(h.URL); err == nil && at.Scheme == "http" && !onThisMachine(at.Hostname()) {
			plain = append(plain, h.Host)
		}
	}
	if len(plain) == 0 {
		return nil
	}
	return []store.Finding{{
		Level: store.Warning, What: "pages are reached from other machines without TLS, so whoever is between reads the token of who logs in: " + strings.Join(plain, ", "),
		Do: "give them web.tls, or listen on loopback behind a proxy that has TLS",
	}}
}

// examineSources asks each source of the file once.
func examineSources(ctx context.Context, cfg *config.Config) []store.Finding {
	var out []store.Finding
	for _, s := range cfg.Sources {
		found, err := probe(ctx, cfg, s)
		switch {
		case err != nil:
			out = append(out, store.Finding{
				Level: store.Failure, What: fmt.Sprintf("source %s does not tell what is live: %s", s.Name, stream.Shown(err.Error())),
				Do: "mend the ingest, its address, type or password; its streams stay as they are meanwhile",
			})
		case found.Warning != "":
			out = append(out, store.Finding{Level: store.Warning, What: fmt.Sprintf("source %s: %s", s.Name, found.Warning), Do: "see docs/sources.md"})
		case found.Refused > 0:
			out = append(out, store.Finding{
				Level: store.Warning, What: fmt.Sprintf("source %s lists %d streams and %d that are refused, such as: %s", s.Name, len(found.Keys), found.Refused, stream.Printable(found.Example)),
				Do: "have them published under other names, or leave them out with match",
			})
		default:
			out = append(out, store.Finding{Level: store.Fine, What: fmt.Sprintf("source %s lists %d streams, in %v", s.Name, len(found.Keys), found.Took.Round(time.Millisecond))})
		}
	}
	return out
}

func probe(ctx context.Context, cfg *config.Config, s config.Source) (sources.Probed, error) {
	c, err := sourceConfig(cfg, s)
	if err != nil {
		return sources.Probed{}, err
	}
	return sources.Probe(ctx, c)
}

// examineStateDir looks for what an earlier life left in the state directory.
func examineStateDir(cfg *config.Config) []store.Finding {
	if !hosting(cfg) {
		return nil
	}
	alive, err := runnerLives(cfg.StateDir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []store.Finding{{Level: store.Fine, What: "the state directory " + cfg.StateDir + " is not there yet"}}
	case err != nil:
		return []store.Finding{{Level: store.Warning, What: "the state directory is not looked at: " + err.Error(), Do: "run the doctor as the user that runs the host"}}
	}
	found, err := supervisor.List(filepath.Join(cfg.StateDir, "s"))
	if err != nil {
		return []store.Finding{{Level: store.Failure, What: "the state directory does not read: " + err.Error(), Do: "mend its disk or its permissions"}}
	}
	var live, left []string
	for _, f := range found {
		name := f.Spec.Stream + " " + f.Spec.Instance
		switch {
		case f.Live:
			live = append(live, name)
		case len(f.Leftovers) > 0:
			left = append(left, fmt.Sprintf("%s (pid %d)", name, f.Leftovers[0].PID))
		}
	}
	var out []store.Finding
	if len(left) > 0 {
		out = append(out, store.Finding{
			Level: store.Failure, What: "supervisors were killed and left processes running: " + strings.Join(left, ", "),
			Do: "start the host, which ends them; or end them by hand",
		})
	}
	if !alive && len(live) > 0 {
		out = append(out, store.Finding{
			Level: store.Warning, What: "children run and no runner looks after them: " + strings.Join(live, ", "),
			Do: "start the host before their deadline, and it takes them over; else they end by themselves",
		})
	}
	if len(out) == 0 {
		out = append(out, store.Finding{Level: store.Fine, What: fmt.Sprintf("the state directory %s holds %d living children and no leftovers", cfg.StateDir, len(live))})
	}
	return slices.Concat(out, examineDisk(cfg.StateDir), examineCgroups(found))
}

// runnerLives tells whether a runner has the state directory's lock.
func runnerLives(dir string) (bool, error) {
	lock, err := regular.Open(filepath.Join(dir, "lock"), os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }() // gives back what was locked
	err = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
