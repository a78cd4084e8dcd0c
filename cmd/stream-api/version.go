package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"stream-api/store"
)

// versionJSON is `version -o json`.
type versionJSON struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	Schema  int    `json:"schema"`
	Layouts string `json:"layouts"`
}

func versionCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, versionJSON{Version: version, Go: runtime.Version(), Schema: store.Spoken.To, Layouts: store.Spoken.String()})
			}
			_, err = fmt.Printf("stream-api %s (%s, store layout %v)\n", version, runtime.Version(), store.Spoken)
			return err
		},
	}
	g.outputFlag(c)
	return c
}
