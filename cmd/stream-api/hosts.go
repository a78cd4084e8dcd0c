package main

import (
	"github.com/spf13/cobra"

	"stream-api/stream"
)

// versionTable is the table of hosts with the version that each runs, and the
// layouts of the store that it speaks.
func versionTable(status stream.Status) *table {
	t := hostTable(status)
	t.head = append(t.head, "VERSION", "LAYOUT")
	row := 0
	for _, h := range status.Hosts {
		for i := range max(1, len(h.Services)) {
			version, layouts := cell{h.Version, plain}, cell{h.Layouts, plain}
			if i > 0 {
				version.text, layouts.text = " ", " "
			}
			t.rows[row] = append(t.rows[row], version, layouts)
			row++
		}
	}
	return t
}

func hostsCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "hosts", Short: "List, steer and forget hosts", GroupID: "act", Args: cobra.NoArgs}
	ls := &cobra.Command{
		Use: "ls", Short: "List hosts with their leases and services", Args: cobra.NoArgs,
		RunE: g.lists(func(s stream.Status) any { return s.Hosts }, versionTable),
	}
	g.outputFlag(ls)
	c.AddCommand(ls, hostsCordon(g), hostsUncordon(g), hostsDrain(g), hostsRemove(g))
	return c
}
