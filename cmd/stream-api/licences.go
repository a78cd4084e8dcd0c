package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"stream-api/internal/notices"
)

func licencesCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "licences", Aliases: []string{"licenses"}, Short: "Print the licences of all that is linked into this program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, notices.Modules())
			}
			_, err = io.WriteString(os.Stdout, notices.Text())
			return err
		},
	}
	g.outputFlag(c)
	return c
}
