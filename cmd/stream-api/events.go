package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

func eventsCommand(g *global) *cobra.Command {
	var follow, problems bool
	var n int
	var lasts time.Duration
	c := &cobra.Command{
		Use: "events", Short: "What happened, newest last", GroupID: "look", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if n < 0 {
				return usageError("-n %d: write a number from 0", n)
			}
			switch flags := cmd.Flags(); {
			case problems && flags.Changed("lines"):
				return usageError("-n is for events: of problems all there are are told")
			case !problems && flags.Changed("for"):
				return usageError("--for is for --problems")
			case lasts < 0 || lasts > time.Hour:
				return usageError("--for %v: write a duration from 0s to 1h", lasts)
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if problems {
				print := printProblem
				if asJSON {
					print = printProblemJSON
				}
				return showProblems(cmd.Context(), s, follow, lasts, print)
			}
			print := printEvent
			if asJSON {
				print = printEventJSON
			}
			// Of none the newest is read too: a follower begins after it.
			last, err := s.LastEvents(cmd.Context(), max(n, 1))
			if err != nil {
				return err
			}
			after := "0"
			for _, e := range last {
				after = e.ID
				if n == 0 {
					continue
				}
				stream.Show(&e)
				if err := print(e); err != nil {
					return err
				}
			}
			if !follow {
				return nil
			}
			return followEvents(cmd.Context(), s, after, print)
		},
	}
	g.outputFlag(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "stay, and print what happens")
	c.Flags().BoolVar(&problems, "problems", false, "what needs somebody, as the page lists it; with -f what begins and ends")
	c.Flags().DurationVar(&lasts, "for", 5*time.Second, "of --problems -f: how long one has to last before it is told")
	c.Flags().IntVarP(&n, "lines", "n", 50, "how many past events to print; 0: none")
	return c
}

func followEvents(ctx context.Context, s *store.Store, after string, print func(store.Event) error) error {
	for ctx.Err() == nil {
		events, err := s.Events(ctx, after, 100, 2*time.Second)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			say("stream-api: %v; trying again", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		for _, e := range events {
			stream.Show(&e)
			if err := print(e); err != nil {
				return err
			}
			after = e.ID
		}
	}
	return nil
}

func printEvent(e store.Event) error {
	at := "?"
	if ms, ok := e.At(); ok {
		at = time.UnixMilli(ms).Format("15:04:05.000")
	}
	var what []string
	for _, part := range []struct{ name, value string }{{"stream", e.Stream}, {"slot", e.Slot}, {"host", e.Host}, {"reason", e.Reason}} {
		if part.value != "" {
			what = append(what, part.name+"="+harmless(part.value))
		}
	}
	_, err := fmt.Printf("%s  %-14s %s  (%s)\n", at, harmless(e.Event), strings.Join(what, " "), harmless(e.Actor))
	return err
}

// printEventJSON prints one object a line, so that a pipe can read it.
func printEventJSON(e store.Event) error {
	return printJSONLine(os.Stdout, e)
}
