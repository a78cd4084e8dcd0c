package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stream-api/config"
)

func checkConfigCommand() *cobra.Command {
	var same bool
	c := &cobra.Command{
		Use: "check-config FILE…", Short: "Say what a configuration means, or what is wrong with it", GroupID: "host", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := config.Load(args...)
			if err != nil {
				return configError(err)
			}
			if same {
				for _, line := range identity(cfg) {
					fmt.Println(line)
				}
				return nil
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintf(os.Stderr, "warning: %s\n", w)
			}
			return cfg.Describe(os.Stdout)
		},
	}
	c.Flags().BoolVar(&same, "identity", false, "print only what must not change while children run on")
	if err := c.Flags().MarkHidden("identity"); err != nil {
		panic(err) // it was defined in the line before
	}
	return c
}

// configError gives every failure to load a configuration its exit code.
func configError(err error) error { return exitError{code: exitUsage, err: err} }
