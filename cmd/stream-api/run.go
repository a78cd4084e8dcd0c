package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/internal/orphans"
	"stream-api/runners/supervisor"
)

func runCommand() *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use: "run -c FILE…", Short: "Run this host: poll, decide, run services, show, as its file says", GroupID: "host", Args: filesByFlag,
		Long: `Run this host. Several -c are laid over each other, the later wins.

Signals: TERM and INT leave (take no work, stop the children, release at once;
a second one kills them), and nothing calls a leaving host back. HUP takes up a
changed file and a changed binary without stopping anything on air. USR1 exits
and leaves the children to the next start, which adopts them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usageError("give the host's file: stream-api run -c FILE")
			}
			return runHost(cmd.Context(), files)
		},
	}
	c.Flags().StringArrayVarP(&files, "config", "c", nil, "configuration file; may repeat")
	return c
}

func runHost(ctx context.Context, files []string) error {
	// run has its own meaning of INT and TERM.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	incoming := make(chan os.Signal, 8)
	signal.Notify(incoming, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(incoming)
	// For the rest of the process's life, over all that it becomes.
	go orphans.Reap(context.WithoutCancel(ctx), nil)
	leaving, err := inherit()
	if err != nil {
		return err
	}
	page, err := inheritDoor()
	if err != nil {
		return err
	}

	cfg, err := config.Load(files...)
	if err != nil {
		return configError(err)
	}
	log, err := newLogger(cfg.Log, os.Stderr)
	if err != nil {
		return err
	}
	quietRedisLogger(log)
	for _, w := range cfg.Warnings {
		log.Warn().Str("at", w.Position.String()).Msg(w.Message)
	}
	if ctx.Err() != nil {
		leaving++ // it came before this life had ears of its own
	}
	told := &signals{leaving: leaving}
	if err := live(context.WithoutCancel(ctx), cfg, log, incoming, told, page); err != nil {
		return err
	}
	return become(cfg, log, incoming, told, page)
}

// become makes the process the next life, if there is to be one.
func become(cfg *config.Config, log zerolog.Logger, incoming chan os.Signal, told *signals, page *door) error {
	// From here to the exec TERM ends the process, rather than be lost; a
	// second HUP asks for nothing that the exec does not do.
	signal.Ignore(syscall.SIGHUP)
	signal.Stop(incoming)
	for len(incoming) > 0 {
		told.take(<-incoming)
	}
	if told.tooLate() && told.program == "" && cfg.Network.Redis.String() != config.Embedded {
		told.program = self()
	}
	if told.program == "" {
		return nil
	}
	env := os.Environ()
	if told.tooLate() {
		log.Info().Msg("told to leave when the children had been let go of: the next life takes them over and leaves")
		env = append(env, fmt.Sprintf("%s=%d", leaveVariable, told.leaving))
	}
	log.Info().Str("program", told.program).Msg("starting anew; the children stay")
	// What is open is close-on-exec, the state directory's lock too; only the
	// page's socket is left open.
	left, err := page.leaveOpen()
	if err != nil {
		log.Warn().Err(err).Msg("the page's socket cannot be kept open; the next life listens anew")
	}
	env = append(env, left...)
	return fmt.Errorf("re-execute %s: %w", told.program, syscall.Exec(told.program, os.Args, env))
}

// live is one life of the process.
func live(ctx context.Context, cfg *config.Config, log zerolog.Logger, incoming <-chan os.Signal, told *signals, page *door) error {
	l, err := connect(cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		// A connection that does not close well ends with the process, and must
		// not keep the next life from its children.
		if err := l.close(); err != nil {
			log.Warn().Err(err).Msg("the store's connections did not close well")
		}
	}()
	// Before anything else lives where this process was put.
	if err := supervisor.Settle(); err != nil {
		log.Warn().Err(err).Msg("the host stays in the cgroup that its children's are below, so that these can have no limits")
	}
	p, err := assemble(cfg, l, log, nil)
	if err != nil {
		return err
	}
	p.door = page
	log.Info().Str("host", cfg.Network.Name).Str("redis", l.shown()).Str("version", version).Int("sources", len(cfg.Sources)).Int("services", len(cfg.Services)).
		Bool("scheduler", cfg.Scheduler.Enabled).Msg("the host starts")
	if !cfg.OffersAnything() {
		log.Info().Strs("files", cfg.Files).Msg("it runs nothing and polls nothing, as its file names neither services nor sources; name some there, then reload")
	}
	if p.runner != nil {
		for _, unheld := range unheldLimits(cfg) {
			log.Warn().Str("reason", unheld).Msg("children run without limits that cannot be had here")
		}
		if err := supervisor.CheckCgroup(); err != nil {
			log.Info().Str("reason", err.Error()).Msg("children get no cgroup of their own; what they leave behind is found by a walk over their trees")
		} else {
			log.Info().Msg("each child gets a cgroup of its own")
		}
		if err := supervisor.CheckResident(); err != nil {
			log.Info().Str("reason", err.Error()).Msg("supervisors may be paged out; when memory is short their deadlines come late")
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(told.leaving, 2) {
		p.leave(cancel)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	checked := make(chan string, 1)
	for {
		var do order
		select {
		case err := <-ended:
			return err
		case program := <-checked:
			do = told.checked(program)
		case sig := <-incoming:
			if do = told.take(sig); do == orderNothing {
				log.Info().Str("signal", sig.String()).Msg("heard; what is going on stays as it is")
			}
		}
		switch do {
		case orderCheck:
			// Beside the loop, so that TERM need not wait for it.
			go func() {
				program, err := reload(ctx, cfg)
				if err != nil && ctx.Err() == nil {
					log.Error().Err(err).Msg("the changed file is not taken up; the host goes on as it was")
				}
				checked <- program
			}()
		case orderDetach:
			log.Info().Msg("detaching: the children stay until their deadline, for the next start to adopt")
			cancel()
		case orderLeave:
			log.Info().Msg("leaving: no more work; the children are stopped and their slots released")
			p.leave(cancel)
		}
	}
}
