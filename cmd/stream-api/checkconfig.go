package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stream-api/config"
)

func checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check-config FILE…", Short: "Say what a configuration means, or what is wrong with it", GroupID: "host", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := config.Load(args...)
			if err != nil {
				return configError(err)
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintf(os.Stderr, "warning: %s\n", w)
			}
			return cfg.Describe(os.Stdout)
		},
	}
}

// configError gives every failure to load a configuration its exit code.
func configError(err error) error { return exitError{code: exitUsage, err: err} }
