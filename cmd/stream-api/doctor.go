package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/store"
	"stream-api/stream"
)

func doctorCommand(g *global) *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use: "doctor [-c FILE…]", Short: "Look for what will hurt on air, and say what to do", GroupID: "look", Args: filesByFlag,
		Long: `Look for what will hurt on air, and say what to do: the store's version,
persistence, eviction and replicas, the timing of its Sentinels, the way to it,
clocks, hosts, services and sources.

With -c also at what only the host itself can see: whether its sources answer,
what lies in its state directory, whether there is room on that disk, and why
children have no cgroup of their own.

Exit 1 if there is a failure; warnings are for you to weigh.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			var cfg *config.Config
			if len(files) > 0 {
				if cfg, err = config.Load(files...); err != nil {
					return configError(err)
				}
				if err := g.takeStoreOf(cfg); err != nil {
					return err
				}
			}
			findings, err := g.examine(cmd.Context(), cfg)
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
	c.Flags().StringArrayVarP(&files, "config", "c", nil, "the host's file; may repeat")
	return c
}

// examine looks at everything. A store that cannot be reached is a finding, so
// that what is wrong on this host is told too.
func (g *global) examine(ctx context.Context, cfg *config.Config) ([]store.Finding, error) {
	findings, err := g.examineStore(ctx)
	if err != nil {
		var usage exitError
		if errors.As(err, &usage) {
			return nil, err
		}
		what := strings.ReplaceAll(err.Error(), "\n", "; ")
		do := "start it, or mend its address"
		if r, refused := store.RefusalOf(err); refused {
			do = r.Do
		}
		findings = append(findings, store.Finding{Level: store.Failure, What: stream.Shown(what), Do: do + "; children go on meanwhile, nothing new starts"})
	}
	if cfg == nil {
		return findings, nil
	}
	findings = append(findings, examineSources(ctx, cfg)...)
	return append(findings, examineStateDir(cfg)...), nil
}

func (g *global) examineStore(ctx context.Context) ([]store.Finding, error) {
	address, _, _, err := g.address()
	if err != nil {
		return nil, err
	}
	r, err := config.ParseRedis(address)
	if err != nil {
		return nil, usageError("%v", err)
	}
	// First: they tell why the primary is not found.
	findings := store.DiagnoseSentinels(ctx, targetOf(r), commandTimeout)
	s, done, err := g.open(ctx)
	if err != nil {
		return findings, err
	}
	defer done()
	found, err := s.Diagnose(ctx)
	if err != nil {
		return findings, err
	}
	words, err := examineWords(ctx, s)
	findings = append(append(findings, found...), words...)
	if err != nil {
		return findings, err
	}
	rules, err := examineRules(ctx, s)
	return append(findings, rules...), err
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
