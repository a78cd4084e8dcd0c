package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"stream-api/config"
	"stream-api/queue"
	"stream-api/runners"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
	"stream-api/web"
)

func (p *process) addRunner(commands *queue.Client) error {
	cfg := p.cfg
	o := runners.Options{
		Host: cfg.Network.Name, Services: cfg.Services.Plans(), StateDir: cfg.StateDir, Self: cmp.Or(asked, running),
		TTL: cfg.Lease.TTL, Beat: cfg.Lease.Beat, OnStoreLoss: cfg.Lease.OnStoreLoss,
		Lookup: cfg.Lookup, URL: p.webURL(), Version: version, Lacks: lacks(cfg), Labels: cfg.Labels(), Log: p.log,
		Pools: cfg.Network.PoolSizes(), PoolJobs: cfg.Network.PoolJobs(),
		Cooldown: cfg.Scheduler.Cooldown, Heart: p.links.heart,
		Retry: config.DefaultRestart(), SlowRetry: config.SlowRetry,
	}
	for _, s := range cfg.Sources {
		// Registered too, so that people see who polls what; several
		// sources of one host share the row.
		if len(o.Extra) == 0 {
			o.Extra = append(o.Extra, store.Offer{Type: stream.SourceType, URL: s.Stream["url"]})
		}
	}
	var err error
	p.runner, err = runners.New(p.links.store, commands, o)
	if err != nil {
		return configError(err)
	}
	return nil
}

// webURL is where other hosts find this one's page; empty if they cannot.
func (p *process) webURL() string {
	host, port, err := net.SplitHostPort(p.cfg.Web.Listen)
	if err != nil {
		return "" // off
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	scheme := "http://"
	if p.cfg.Web.TLS != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(p.cfg.Network.Name, port)
}

// leave ends the process after its children; asked again, at once.
func (p *process) leave(cancel func()) {
	if p.runner == nil {
		cancel()
		return
	}
	p.runner.Leave()
}

// slotLog implements web.LogReader.
func (p *process) slotLog(ctx context.Context, q web.LogQuery, line func(web.LogLine) error) error {
	dir, err := statedir.LogDir(p.cfg.StateDir, q.Key, q.Slot, q.Token)
	if errors.Is(err, statedir.ErrNoSlot) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return err
	}
	return supervisor.ReadLog(ctx, dir, q.Tail, q.Follow, func(l supervisor.LogLine) error {
		return line(web.LogLine{At: l.At, Mark: l.Mark, Text: l.Text})
	})
}
