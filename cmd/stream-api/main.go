package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"stream-api/internal/confine"
	"stream-api/internal/seclude"
	"stream-api/runners/supervisor"
	"stream-api/store"
)

// version is set by the build.
var version = "unknown"

func main() {
	// Before everything else: the supervisor is this same program, small and
	// on its own.
	if len(os.Args) > 1 && os.Args[1] == supervisor.Command {
		os.Exit(supervisor.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == confine.Command {
		say("usage: %s KIND PROGRAM ARGV… (the step between a supervisor and a program, not by hand)", confine.Command)
		os.Exit(exitUsage)
	}
	if err := seclude.Process(); err != nil {
		say("stream-api: %v", err)
		os.Exit(1)
	}
	os.Exit(execute(os.Args[1:]))
}

// execute runs one command line and gives its exit code: 0 ok, 1 failed,
// 2 usage or configuration, 3 not found, 4 no capacity or deadline passed.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What the client library prints of its own stands in our errors too;
	// run gives it a log instead.
	quietRedisLogger(zerolog.Nop())
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var quiet silentError
	if !errors.As(err, &quiet) {
		complain(os.Stderr, store.Explain(err)+whyHidden(err))
	}
	return exitCode(err)
}
