package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"stream-api/config"
	"stream-api/queue"
	"stream-api/runners"
	"stream-api/runners/statedir"
	"stream-api/scheduler"
	"stream-api/sources"
	"stream-api/store"
	"stream-api/web"
)

// process is everything one `run` does; parts that its file does not ask for
// are nil.
type process struct {
	cfg       *config.Config
	log       zerolog.Logger
	links     *links
	scheduler *scheduler.Scheduler
	pollers   []*sources.Poller
	runner    *runners.Runner
	web       *web.Server
	door      *door // of web
}

// assemble wires a process together; nothing runs yet. A demo, if any, is
// offered on the page.
func assemble(cfg *config.Config, l *links, log zerolog.Logger, d web.Demo) (*process, error) {
	p := &process{cfg: cfg, log: log, links: l, door: &door{}}
	commands, err := queue.NewClient(l.client, cfg.Network.Namespace)
	if err != nil {
		return nil, configError(fmt.Errorf("network.namespace: %w", err))
	}
	if cfg.Scheduler.Enabled {
		p.addScheduler(commands)
	}
	if err := p.addPollers(commands); err != nil {
		return nil, err
	}
	var metrics *web.Metrics
	if cfg.Web.Listen != "" {
		metrics = web.NewMetrics(version)
		p.observe(metrics)
	}
	if hosting(cfg) {
		if err := p.addRunner(commands); err != nil {
			return nil, err
		}
	}
	if cfg.Web.Listen != "" {
		if err := p.addWeb(commands, metrics, d); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// hosting tells whether the process is a host that others see: one that offers something, or that did in an earlier life
// and may have children left from it.
func hosting(cfg *config.Config) bool {
	return cfg.OffersAnything() || statedir.LivedIn(cfg.StateDir)
}

// id tells this process from others of the same host name.
func (p *process) id() string { return fmt.Sprintf("%s/%d", p.cfg.Network.Name, os.Getpid()) }

func (p *process) addScheduler(commands *queue.Client) {
	p.scheduler = scheduler.New(p.links.store, commands, scheduler.Options{
		ID: p.id(), Cooldown: p.cfg.Scheduler.Cooldown, Beat: p.cfg.Lease.Beat, Log: p.log,
		Events: p.readEvents,
	})
}

// readEvents has the scheduler look at what the queue of events names, until ctx
// ends.
func (p *process) readEvents(ctx context.Context) error {
	s, err := queue.NewEventServer(queue.Options{Redis: p.links.client, Namespace: p.cfg.Network.Namespace, Log: p.log}, p.scheduler.Consider)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Stop(stop)
}

func (p *process) addPollers(hints *queue.Client) error {
	guard := newLoopGuard(p.links.store)
	memory := sources.MemoryIn(p.cfg.StateDir)
	for _, s := range p.cfg.Sources {
		c, err := sourceConfig(p.cfg, s)
		if err != nil {
			return configError(err)
		}
		poller, err := sources.New(c, sources.Deps{
			Store: p.links.store, Hints: hints, ID: p.cfg.Network.Name, Log: p.log, Output: guard.output, Memory: memory,
		})
		if err != nil {
			return configError(err)
		}
		p.pollers = append(p.pollers, poller)
	}
	return nil
}

func (p *process) addWeb(q *queue.Client, metrics *web.Metrics, d web.Demo) error {
	token, err := p.cfg.WebToken()
	if err != nil {
		return configError(fmt.Errorf("web.token: %w", err))
	}
	readOnly := p.cfg.Web.Asynqmon == "read_only"
	wakers := make(map[string]func(), len(p.pollers))
	for _, poller := range p.pollers {
		wakers[poller.Name()] = poller.Wake
	}
	o := web.Options{
		Store: p.links.store, Listen: p.cfg.Web.Listen, Token: token, AllowedHosts: p.cfg.Web.Hosts, Log: p.log, Version: version,
		Monitor: queue.Monitor(p.links.client, queue.MonitorOptions{Root: web.MonitorRoot, Namespace: p.cfg.Network.Namespace, ReadOnly: readOnly}), MonitorReadOnly: readOnly,
		Name: p.cfg.Network.Name, Wakers: wakers, Queues: q, Metrics: metrics, Demo: d, Mover: mover{p.links.store},
	}
	if t := p.cfg.Web.TLS; t != nil {
		o.CertFile, o.KeyFile = t.Cert, t.Key
	}
	if p.runner != nil {
		o.Host, o.Logs = p.cfg.Network.Name, p.slotLog
	}
	if p.web, err = web.New(o); err != nil {
		return configError(err)
	}
	return nil
}

// observe has the process counted.
func (p *process) observe(m *web.Metrics) {
	p.links.store.Observe(m.Script)
	p.links.heart.Observe(m.Script)
	m.Process(p.figures)
	m.Polls(func() []web.PollCounts {
		out := make([]web.PollCounts, 0, len(p.pollers))
		for _, poller := range p.pollers {
			s := poller.Stats()
			out = append(out, web.PollCounts{Source: s.Source, Good: s.Good, Failed: s.Failed, StoreFailed: s.StoreFailed})
		}
		return out
	})
}

// run runs every part until ctx ends or one of them fails for good. The runner
// goes last: it feeds what it runs while the others end, and leaving it may
// need them.
func (p *process) run(ctx context.Context) error {
	asked := ctx
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	p.start(ctx, group)
	if p.runner == nil {
		return group.Wait()
	}
	// A group of parts that have nothing to do would end ctx.
	group.Go(func() error { <-ctx.Done(); return nil })
	hosting, letGo := context.WithCancel(context.WithoutCancel(ctx))
	defer letGo()
	host, parts := make(chan error, 1), make(chan error, 1)
	go func() { host <- p.runner.Run(hosting) }()
	go func() { parts <- group.Wait() }()
	select {
	case err := <-host:
		end()
		p.complain(<-parts)
		return err
	case <-ctx.Done():
	}
	err := p.endParts(ctx, parts)
	letGo()
	if asked.Err() != nil {
		// How well they ended must not keep the next life from its children.
		p.complain(err)
		err = nil
	}
	return errors.Join(err, <-host)
}

// start starts every part but the runner.
func (p *process) start(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return p.checkLayout(ctx) })
	group.Go(func() error { return p.wakePollers(ctx) })
	if p.scheduler != nil {
		group.Go(func() error { return p.scheduler.Run(ctx) })
	}
	for _, poller := range p.pollers {
		group.Go(func() error { return poller.Run(ctx) })
	}
	if p.web != nil {
		group.Go(func() error { return p.serveWeb(ctx) })
	}
}

func (p *process) serveWeb(ctx context.Context) error {
	l, err := p.door.await(ctx, p.cfg.Web.Listen, store.TroublePause, p.log, func(failed error) {
		if err := p.links.store.TellTrouble(ctx, "there is no page: "+failed.Error(), "free the address, or have web.listen name another and reload the host"); err != nil {
			p.log.Debug().Err(err).Msg("that there is no page cannot be told")
		}
	})
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	return p.web.Serve(ctx, l)
}

// endParts waits for what ends with ctx, for a beat: a store that hangs or a
// page that is read must not keep the next life from its children.
func (p *process) endParts(ctx context.Context, parts <-chan error) error {
	timer := time.NewTimer(p.cfg.Lease.Beat)
	defer timer.Stop()
	select {
	case err := <-parts:
		return err
	case <-timer.C:
		p.log.Info().Msg("not everything beside the runner has ended; it ends with the process")
		return context.Cause(ctx)
	}
}

// complain says how parts ended that were told to.
func (p *process) complain(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		p.log.Warn().Err(err).Msg("a part of the process did not end well")
	}
}

// checkLayout ends the process if the store's layout is of another version,
// and says when the store is not there at the start.
func (p *process) checkLayout(ctx context.Context) error {
	var told sync.Once
	for {
		err := p.links.store.Check(ctx)
		if err == nil || errors.Is(err, store.ErrSchema) || ctx.Err() != nil {
			return ignoreEnd(ctx, err)
		}
		told.Do(func() {
			what := "the store cannot be reached; waiting for it"
			if _, refused := store.RefusalOf(err); refused {
				what = "Redis refuses this host; it is asked again until it does not"
			}
			p.log.Warn().Str("error", store.Explain(err)).Str("redis", p.links.shown()).Msg(what)
		})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.cfg.Lease.Beat):
		}
	}
}

// wakePollers has hints of the store poll a source at once.
func (p *process) wakePollers(ctx context.Context) error {
	if len(p.pollers) == 0 {
		return nil
	}
	for hint := range p.links.store.Hints(ctx) {
		if hint.What != "poll" {
			continue
		}
		for _, poller := range p.pollers {
			if poller.Name() == hint.Of {
				poller.Wake()
			}
		}
	}
	return nil
}

// ignoreEnd is err unless ctx ended, which is no failure.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
