package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stream-api/store"
)

func doctorCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what will hurt on air, and say what to do", GroupID: "look", Args: cobra.NoArgs,
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
			findings, err := s.Diagnose(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(os.Stdout, findings)
			} else {
				err = printFindings(findings)
			}
			if err != nil {
				return err
			}
			for _, f := range findings {
				if f.Level == store.Failure {
					return silentError{errors.New("the doctor found a failure")}
				}
			}
			return nil
		},
	}
	g.outputFlag(c)
	return c
}

func printFindings(findings []store.Finding) error {
	t := &table{head: []string{"LEVEL", "WHAT", "DO"}}
	colours := map[store.Level]colour{store.Fine: green, store.Warning: yellow, store.Failure: red}
	for _, f := range findings {
		t.add(cell{string(f.Level), colours[f.Level]}, cell{f.What, plain}, cell{f.Do, plain})
	}
	if err := t.write(os.Stdout, onTerminal(os.Stdout)); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
