package main

import (
	"errors"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

func sourcesCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "sources", Short: "List sources, settle whose rules are in force, and forget those that are no more", GroupID: "act", Args: cobra.NoArgs}
	ls := &cobra.Command{
		Use: "ls", Short: "List sources", Args: cobra.NoArgs,
		RunE: g.lists(func(s stream.Status) any { return s.Sources }, sourceTable),
	}
	g.outputFlag(ls)
	c.AddCommand(ls, sourcesDiff(g), sourcesAccept(g), sourcesRemove(g))
	return c
}

func sourcesRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm SOURCE", Short: "Forget a source that no host polls any more, and end what it announces", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofSources),
		Long: `Forget a source that no host polls any more, and take back the streams it
announces.

A source that falls silent is unknown, and its streams run on: that nobody
answers does not mean that nobody publishes. So one that was renamed or taken out
of the files keeps its streams until this is said.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == store.ManualSource {
				return usageError("%s stands for the streams that were added by hand: stream-api streams rm STREAM", store.ManualSource)
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			n, err := s.DropSource(cmd.Context(), args[0])
			if errors.Is(err, store.ErrNotFound) {
				known, listErr := ofSources(cmd.Context(), s, nil)
				return errors.Join(listErr, unknown("source", args[0], known))
			}
			if err != nil {
				return err
			}
			say("source %s is forgotten; it announced %d streams", stream.Quote(args[0]), n)
			return nil
		},
	}
}
