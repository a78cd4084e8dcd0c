package main

import (
	"github.com/spf13/cobra"

	"stream-api/stream"
)

func hostsCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "hosts", Short: "List and steer hosts", GroupID: "act", Args: cobra.NoArgs}
	ls := &cobra.Command{
		Use: "ls", Short: "List hosts with their leases and services", Args: cobra.NoArgs,
		RunE: g.lists(func(s stream.Status) any { return s.Hosts }, hostTable),
	}
	g.outputFlag(ls)
	c.AddCommand(ls, hostsCordon(g), hostsUncordon(g), hostsDrain(g))
	return c
}
