package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"stream-api/store"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Printf("stream-api %s (%s, store layout %d)\n", version, runtime.Version(), store.Schema)
			return err
		},
	}
}
