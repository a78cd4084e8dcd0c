package main

import "github.com/spf13/cobra"

func hookCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "hook SOURCE", Short: "Have a source polled at once, as from an ingest's runOnReady", GroupID: "act", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofSources),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			sources, err := s.Sources(cmd.Context())
			if err != nil {
				return err
			}
			names := make([]string, 0, len(sources))
			for _, known := range sources {
				if known.Name == args[0] {
					return s.Poke(cmd.Context(), args[0])
				}
				names = append(names, known.Name)
			}
			return unknown("source", args[0], names)
		},
	}
}
