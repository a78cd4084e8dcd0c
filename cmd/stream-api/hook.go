package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stream-api/store"
)

func hookCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "hook SOURCE", Short: "Have a source polled at once, as from an ingest's runOnReady", GroupID: "act", Args: cobra.ExactArgs(1),
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
			for _, known := range sources {
				if known.Name == args[0] {
					return s.Poke(cmd.Context(), args[0])
				}
			}
			return fmt.Errorf("source %s: %w; stream-api status lists them", args[0], store.ErrNotFound)
		},
	}
}
