package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stream-api/render"
)

// renderer is one `render`: what it was asked for.
type renderer struct {
	template, output string
	from, tokenFile  string
	follow, insecure bool
	settle           time.Duration
	command          []string
}

func renderCommand(g *global) *cobra.Command {
	var r renderer
	c := &cobra.Command{
		Use: "render -t TEMPLATE [-o FILE] [-f] [-- COMMAND…]", Short: "Keep a file as a template says, for what is no slot", GroupID: "look",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return usageError("write -- before the command")
			}
			return nil
		},
		Long: `Fills in a template (Go's text/template) from what status -o json has, puts the
result in place of a file in one step, and runs a command if the file changed:

  stream-api render -t relay.tmpl -o /etc/nginx/conf.d/relay.conf -f -- nginx -s reload

Without -o it prints what it would write. With -f it stays and keeps the file up
to date. A store or page that is away, a hold, a template that fails leave the
file as it is. What a template may call is in docs/commands.md.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.command = args
			if err := r.check(g); err != nil {
				return err
			}
			return r.run(cmd.Context(), g)
		},
	}
	c.Flags().StringVarP(&r.template, "template", "t", "", "the template, a file")
	c.Flags().StringVarP(&r.output, "output", "o", "", "the file to keep; none: print what would be written")
	c.Flags().BoolVarP(&r.follow, "follow", "f", false, "stay, and keep the file up to date")
	c.Flags().DurationVar(&r.settle, "settle", time.Second, "least time between two changes of the file, and so between two commands")
	c.Flags().StringVar(&r.from, "from", "", "ask this page instead of the store, such as https://ber.example:8080")
	c.Flags().StringVar(&r.tokenFile, "token-file", "", "the page's web token (default: $STREAM_API_WEB_TOKEN)")
	c.Flags().BoolVar(&r.insecure, "insecure", false, "send the token to a page on another machine without TLS, too")
	return c
}

func (r *renderer) check(g *global) error {
	switch {
	case r.template == "":
		return usageError("say which template: -t FILE")
	case r.output == "" && (r.follow || len(r.command) > 0):
		return usageError("say which file: -o FILE")
	case r.settle < 100*time.Millisecond || r.settle > time.Hour:
		return usageError("--settle %v: write a duration from 100ms to 1h", r.settle)
	case r.from != "" && (g.redis != "" || g.namespace != ""):
		return usageError("--from asks a page: leave --redis and --namespace out")
	case r.from == "" && (r.tokenFile != "" || r.insecure):
		return usageError("--token-file and --insecure are for --from")
	case r.from == "":
		_, _, _, err := g.address() // a follower would try it for ever
		return err
	}
	return nil
}

func (r *renderer) run(ctx context.Context, g *global) error {
	job := &render.Job{
		Template: r.template, Output: r.output, Settle: r.settle, Env: os.Getenv, Now: time.Now,
		Say: func(format string, args ...any) { say("stream-api: "+format, args...) },
	}
	if len(r.command) > 0 {
		job.Command = func(ctx context.Context) error { return runTold(ctx, r.command) }
	}
	if r.from == "" {
		of := &storeSource{g: g, follow: r.follow}
		defer of.close()
		job.Source = of
	} else {
		of, err := newPageSource(r.from, r.tokenFile, r.insecure)
		if err != nil {
			return err
		}
		if r.follow {
			go of.hear(ctx) // ends with ctx, and this process soon after
		}
		job.Source = of
	}
	err := r.do(ctx, job)
	if errors.Is(err, render.ErrTemplate) {
		return exitError{exitUsage, err}
	}
	return err
}

func (r *renderer) do(ctx context.Context, job *render.Job) error {
	switch {
	case r.output == "":
		text, err := job.Print(ctx)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	case r.follow:
		return job.Follow(ctx)
	}
	return job.Once(ctx)
}
