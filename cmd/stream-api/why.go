package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/scheduler"
	"stream-api/store"
	"stream-api/stream"
)

func whyCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "why STREAM SLOT", Short: "Why a slot is where it is, or waits, host by host", GroupID: "look", Args: cobra.ExactArgs(2),
		ValidArgsFunction: g.completes(ofStreams, ofSlots),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if err := errors.Join(stream.CheckKey(args[0]), stream.CheckSlotOrInstance(args[1])); err != nil {
				return usageError("%v", err)
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				why, err := readWhy(ctx, s, args[0], args[1])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(os.Stdout, why)
				}
				return printWhy(os.Stdout, why, onTerminal(os.Stdout))
			})
		},
	}
	g.outputFlag(c)
	return c
}

func readWhy(ctx context.Context, s *store.Store, key, slot string) (stream.WhyStatus, error) {
	why, err := scheduler.Why(ctx, s, key, slot)
	if errors.Is(err, store.ErrNotFound) {
		if known, listErr := ofStreams(ctx, s, nil); listErr != nil || !slices.Contains(known, key) {
			return why, errors.Join(listErr, unknown("stream", key, known))
		}
		known, listErr := ofSlots(ctx, s, []string{key})
		return why, errors.Join(listErr, unknown("slot", slot, known))
	}
	stream.Show(&why)
	return why, err
}

func printWhy(w io.Writer, why stream.WhyStatus, colours bool) error {
	state := string(why.State)
	if why.State == stream.Pending {
		state = "waits"
	} else if why.Phase != stream.Runs {
		state = string(why.Phase)
	}
	line := fmt.Sprintf("%s %s %s", why.Key, why.Name, state)
	if why.Host != "" {
		line += " on " + why.Host
	}
	line += " for " + ago(why.At, why.Since)
	if why.Reason != "" {
		line += ": " + why.Reason
	}
	if _, err := fmt.Fprintln(w, harmless(line)); err != nil {
		return err
	}
	if why.Here != nil {
		if _, err := fmt.Fprintln(w, harmless(fmt.Sprintf("It was placed there %s ago: %s", ago(why.At, why.Placed), why.Here.Reason))); err != nil {
			return err
		}
	}
	t := &table{head: []string{"HOST", "LABELS", "WHY"}}
	for _, h := range why.Hosts {
		text, c := whyText(h)
		t.add(cell{h.Host, plain}, cell{stream.Labels(h.Labels).String(), plain}, cell{text, c})
	}
	if err := t.write(w, colours); err != nil {
		return err
	}
	for i, do := range why.Do {
		if i == 0 {
			if _, err := fmt.Fprintln(w, "What helps:"); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "  %s   (%s)\n", harmless(do.Command), harmless(do.Does)); err != nil {
			return err
		}
	}
	return nil
}

func whyText(h stream.WhyHost) (string, colour) {
	switch {
	case h.Has:
		return "has it", green
	case h.State == stream.Down && h.Since > 0:
		return "down since " + clock(h.Since), red
	case h.Code == stream.CodeNotUp && h.Facts["away"] != "":
		word := strings.TrimPrefix(h.Facts["away"], h.Host+" ")
		if word == string(h.State) && h.Since > 0 {
			word += " since " + clock(h.Since)
		}
		return word, yellow
	case h.Room:
		return "has room", plain
	case h.Reason == "":
		return string(h.State), yellow
	}
	return h.Reason, yellow
}
