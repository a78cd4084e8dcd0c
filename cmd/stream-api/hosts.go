package main

import (
	"os"

	"github.com/spf13/cobra"
)

func hostsCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "hosts", Short: "List and steer hosts", GroupID: "act", Args: cobra.NoArgs}
	ls := &cobra.Command{
		Use: "ls", Short: "List hosts with their leases and services", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			status, err := readStatus(cmd.Context(), s)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, status.Hosts)
			}
			return hostTable(status).write(os.Stdout, onTerminal(os.Stdout))
		},
	}
	g.outputFlag(ls)
	c.AddCommand(ls, hostsCordon(g), hostsUncordon(g), hostsDrain(g))
	return c
}
