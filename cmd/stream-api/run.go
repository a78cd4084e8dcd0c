package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"stream-api/config"
)

func runCommand() *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use: "run -c FILE…", Short: "Run this host: poll, decide, run services, show, as its file says", GroupID: "host", Args: filesByFlag,
		Long: `Run this host. Several -c are laid over each other, the later wins.

Signals: TERM and INT leave (take no work, stop the children, release at once;
a second one kills them). HUP takes up a changed file and a changed binary
without stopping anything on air. USR1 exits and leaves the children to the
next start, which adopts them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usageError("give the host's file: stream-api run -c FILE")
			}
			// run has its own meaning of INT and TERM.
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			return runHost(context.WithoutCancel(cmd.Context()), files)
		},
	}
	c.Flags().StringArrayVarP(&files, "config", "c", nil, "configuration file; may repeat")
	return c
}

func runHost(ctx context.Context, files []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)

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
	again, err := live(ctx, cfg, log, signals)
	if err != nil || again == "" {
		return err
	}
	log.Info().Str("program", again).Msg("starting anew with the changed file; the children stay")
	// What is open is close-on-exec; the state directory's lock is among it.
	return fmt.Errorf("re-execute %s: %w", again, syscall.Exec(again, os.Args, os.Environ()))
}

// live is one life of the process; again is the program to become, if any.
func live(ctx context.Context, cfg *config.Config, log zerolog.Logger, signals <-chan os.Signal) (again string, err error) {
	l, err := connect(cfg, log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	p, err := assemble(cfg, l, log, nil)
	if err != nil {
		return "", err
	}
	log.Info().Str("host", cfg.Network.Name).Str("redis", l.shown()).Str("version", version).Int("sources", len(cfg.Sources)).Int("services", len(cfg.Services)).
		Bool("scheduler", cfg.Scheduler.Enabled).Msg("the host starts")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	for {
		select {
		case err := <-ended:
			return again, err
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				program, err := reload(ctx, cfg)
				if err != nil {
					log.Error().Err(err).Msg("the changed file is not taken up; the host goes on as it was")
					continue
				}
				again = program
				p.detach(cancel)
			case syscall.SIGUSR1:
				log.Info().Msg("detaching: the children stay until their deadline, for the next start to adopt")
				p.detach(cancel)
			default:
				log.Info().Str("signal", sig.String()).Msg("leaving: no more work; the children are stopped and their slots released")
				p.leave(cancel)
			}
		}
	}
}
