package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stream-api/sources"
	"stream-api/store"
	"stream-api/stream"
)

// differNotes tell whose file does not say what is in force.
func differNotes(now int64, s stream.SourceStatus) []string {
	var notes []string
	for _, f := range s.Differs {
		text := fmt.Sprintf("%s's file differs since %s: %s", f.Host, clockTime(now, f.Since), f.What)
		if f.Refused != "" {
			text = fmt.Sprintf("%s announces nothing since %s: %s", f.Host, clockTime(now, f.Since), f.Refused)
		}
		notes = append(notes, text)
	}
	if len(notes) > 0 && s.Rules != nil {
		notes[0] = fmt.Sprintf("%v; %s", s.Rules, notes[0])
	}
	return notes
}

// clockTime is a time of this day, or of another with its date, here; both are server ms.
func clockTime(now, at int64) string {
	form := "15:04"
	if now-at > (12 * time.Hour).Milliseconds() {
		form = "2 Jan 15:04"
	}
	return time.UnixMilli(at).Format(form)
}

// examineRules finds hosts whose files would take something, had they a say.
func examineRules(ctx context.Context, s *store.Store) ([]store.Finding, error) {
	all, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Finding
	for _, source := range all {
		for _, f := range source.Differs {
			if f.Refused != "" {
				out = append(out, store.Finding{Level: store.Failure, What: stream.Shown(fmt.Sprintf("source %s: %s announces nothing: %s", source.Name, f.Host, f.Refused)), Do: "give one of the two another name, or both the same url"})
				continue
			}
			force := "nothing"
			if source.Rules != nil {
				force = source.Rules.String()
			}
			out = append(out, store.Finding{
				Level: store.Failure, What: stream.Shown(fmt.Sprintf("source %s: %s's file differs from the rules in force, %s: %s", source.Name, f.Host, force, f.What)),
				Do: fmt.Sprintf("stream-api sources diff %s %s; then mend that file, or: stream-api sources accept %s --from %s", source.Name, f.Host, source.Name, f.Host),
			})
		}
	}
	return out, nil
}

func sourcesDiff(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "diff SOURCE [HOST]", Short: "Show how a host's file differs from the rules in force", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: g.completes(ofSources),
		Long: `Show, line by line, how the file of a host differs from the rules of a source
that are in force: - is in force and not in the file, + in the file alone. Without
HOST all hosts that poll the source and whose files differ.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				in, files, err := rulesOf(ctx, s, args[0])
				if err != nil {
					return err
				}
				if len(args) == 2 {
					host := args[1]
					files = slices.DeleteFunc(files, func(f store.DifferingFile) bool { return f.Host != host })
				}
				if len(files) == 0 {
					of := "no host's file differs from"
					if len(args) == 2 {
						of = args[1] + " says nothing else than"
					}
					say("%s the rules in force: %v, since %s", of, in, time.UnixMilli(in.At).Format(time.DateTime))
					return nil
				}
				was, err := sources.DecodeRules(in.Text)
				if err != nil {
					return fmt.Errorf("source %s: in force, %v: %w; put another host's in force: stream-api sources accept %s --from HOST", args[0], in, err, args[0])
				}
				for _, f := range files {
					if err := printDiff(args[0], in, was, f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func printDiff(source string, in store.Ruling, was sources.Rules, f store.DifferingFile) error {
	is, err := sources.DecodeRules(f.Text)
	if err != nil {
		return fmt.Errorf("the file of %s: %w", f.Host, err)
	}
	fmt.Printf("--- in force: %v, since %s\n+++ the file of %s, told since %s\n", harmless(in.String()), time.UnixMilli(in.At).Format(time.DateTime),
		harmless(f.Host), time.UnixMilli(f.Since).Format(time.DateTime))
	for _, line := range sources.Compare(was.Lines(), is.Lines()) {
		fmt.Println(stream.Printable(line))
	}
	say("to put it in force: stream-api sources accept %s --from %s; or give %s the file of %s", source, f.Host, f.Host, in.By)
	return nil
}

func sourcesAccept(g *global) *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "accept SOURCE --from HOST", Short: "Put the rules of a host's file in force", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofSources),
		Long: `Put the rules of a source as the file of a host has them in force, for all hosts
that poll the source and over whatever is in force. Slots that they take from
streams on air end.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" {
				return usageError("say whose: --from HOST; see: stream-api sources diff %s", args[0])
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				if _, _, err := rulesOf(ctx, s, args[0]); err != nil {
					return err
				}
				v, already, err := s.AcceptRules(ctx, args[0], from)
				switch {
				case err != nil:
					return err
				case already && v.By == from:
					say("the rules of %s are in force already: %v", from, v)
				case already:
					return fmt.Errorf("%s says nothing else than what is in force, %v, or does not poll %s now", from, v, args[0])
				default:
					say("in force: %v", v)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "the host whose file it is")
	completeFlag(c, "from", g.completesList(ofHosts))
	return c
}

// rulesOf reads the rules of a source, saying what is known if there are none.
func rulesOf(ctx context.Context, s *store.Store, source string) (store.Ruling, []store.DifferingFile, error) {
	if source == store.ManualSource {
		return store.Ruling{}, nil, usageError("%s stands for the streams that were added by hand, which follow no rules", store.ManualSource)
	}
	in, files, err := s.RulesOf(ctx, source)
	if errors.Is(err, store.ErrNotFound) {
		known, listErr := ofSources(ctx, s, nil)
		if !slices.Contains(known, source) {
			return in, nil, errors.Join(listErr, unknown("source", source, known))
		}
		return in, nil, fmt.Errorf("source %s has no rules in force yet: nobody announced by any", stream.Quote(source))
	}
	return in, files, err
}
