package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

func streamsCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "streams", Short: "List, show, add, remove and steer streams", GroupID: "act", Args: cobra.NoArgs}
	c.AddCommand(streamsList(g), streamsShow(g), streamsAdd(g), streamsRemove(g), streamsSet(g), streamsSlots(g), streamsHold(g, true), streamsHold(g, false),
		streamsMove(g), streamsRestart(g))
	return c
}

func streamsList(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "ls", Short: "List streams with the states of their slots", Args: cobra.NoArgs,
		RunE: g.lists(func(s stream.Status) any { return s.Streams }, streamTable),
	}
	g.outputFlag(c)
	return c
}

func streamTable(status stream.Status) *table {
	t := &table{head: []string{"STREAM", "SOURCE", "PRIORITY", "SLOTS"}}
	for _, v := range status.Streams {
		var slots []string
		for _, instance := range v.Slots {
			text := instance.Name + "=" + instance.Shown()
			if instance.Host != "" {
				text += "@" + instance.Host
			}
			slots = append(slots, text)
		}
		t.add(cell{v.Key, plain}, cell{v.Source, plain}, cell{fmt.Sprint(v.Priority), plain}, cell{strings.Join(slots, " "), plain})
	}
	return t
}

func streamsShow(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "show STREAM", Short: "Show all that is known of one stream", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofStreams),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			v, err := s.StreamStatus(cmd.Context(), args[0])
			if err != nil {
				return knownStream(cmd.Context(), s, args[0], err)
			}
			stream.Show(&v)
			if asJSON {
				return printJSON(os.Stdout, v)
			}
			around, err := s.Overview(cmd.Context())
			if err != nil {
				return err
			}
			stream.Show(&around)
			around.Streams = []stream.StreamStatus{v}
			return printStream(v, around, placement.Fragile(around))
		},
	}
	g.outputFlag(c)
	return c
}

func printStream(v stream.StreamStatus, around stream.Status, fragile []stream.FragileStatus) error {
	fmt.Printf("stream    %s\nsource    %s\nchain     %s\npriority  %d\n", harmless(v.Key), harmless(v.Source), harmless(strings.Join(v.Chain, " ")), v.Priority)
	if v.Held {
		fmt.Println("held      by an operator; streams unhold", harmless(v.Key))
	}
	if text := switchText(v.SwitchedOn, v.SwitchedOff); text != "" {
		fmt.Printf("switched  %s, by an operator; streams slots %s --reset\n", harmless(text), harmless(v.Key))
	}
	if len(v.Labels) > 0 {
		fmt.Printf("labels    %s\n", harmless(stream.Labels(v.Labels).String()))
	}
	printVars("", v.Vars)
	for _, instance := range v.Slots {
		fmt.Printf("\nslot      %s\n  state   %s\n  host    %s\n  token   %s\n  restarts %d\n", harmless(instance.Name), harmless(instance.Shown()), harmless(hostText(instance.Host, around.Hosts)), harmless(instance.Token), instance.Restarts)
		if instance.Type != instance.Slot {
			fmt.Printf("  type    %s\n", harmless(instance.Type))
		}
		printRelations(v, instance, around)
		for _, f := range fragile {
			if f.Instance == instance.Instance {
				fmt.Printf("  fragile it would have no place again: %s\n", harmless(f.Reason))
			}
		}
		if instance.Pin != "" {
			fmt.Printf("  pinned  to %s; streams move %s %s --unpin\n", harmless(instance.Pin), harmless(v.Key), harmless(instance.Slot))
		}
		if text := reasonText(instance); text != "" {
			fmt.Printf("  reason  %s\n", harmless(text))
		}
		if instance.Exit != "" {
			fmt.Printf("  exit    %s\n", harmless(instance.Exit))
		}
		for _, line := range instance.Stderr {
			fmt.Printf("  stderr  %s\n", harmless(line))
		}
		printVars("  ", instance.Vars)
	}
	return nil
}

func printVars(indent string, vars map[string]string) {
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("%svar     %s=%s\n", indent, harmless(name), harmless(vars[name]))
	}
}

func streamsAdd(g *global) *cobra.Command {
	var chain []string
	var priority int
	c := &cobra.Command{
		Use: "add STREAM --chain TYPE,TYPE… [NAME=VALUE…]", Short: "Announce a stream by hand; it stays until `streams rm`", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vars, err := parseVars(args[1:])
			if err != nil {
				return err
			}
			if len(chain) == 0 {
				return usageError("give the stream's slots: --chain dist,transcode")
			}
			a := stream.Announcement{Chain: chain, Priority: priority, Vars: vars}
			if err := stream.CheckKey(args[0]); err != nil {
				return usageError("%v", err)
			}
			if err := a.Check(); err != nil {
				return usageError("%v", err)
			}
			for _, slot := range chain {
				if err := config.CheckSlot(slot); err != nil {
					return usageError("--chain: %v", err)
				}
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if err := s.CheckNew(cmd.Context(), args[0]); err != nil {
				return err
			}
			if err := s.AddStream(cmd.Context(), args[0], a); err != nil {
				return err
			}
			say("%s is announced; see: stream-api streams show %s", args[0], args[0])
			return nil
		},
	}
	c.Flags().StringSliceVar(&chain, "chain", nil, "the stream's slots, in order")
	completeFlag(c, "chain", g.completesList(ofTypes))
	c.Flags().IntVar(&priority, "priority", 0, "0 to 899, higher is served first")
	return c
}

func parseVars(args []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usageError("%s: write NAME=VALUE", stream.Quote(arg))
		}
		vars[name] = value
	}
	return vars, nil
}

func streamsRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm STREAM", Short: "Take back a stream that was added by hand", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofStreams),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			found, err := s.Retract(cmd.Context(), store.ManualSource, args[0])
			if err != nil || found {
				return err
			}
			v, err := s.StreamStatus(cmd.Context(), args[0])
			if err != nil {
				return knownStream(cmd.Context(), s, args[0], err)
			}
			return fmt.Errorf("stream %s comes from source %s and goes when its publisher does; to keep it from running: streams hold %s; if no host polls that source any more: sources rm %s", v.Key, v.Source, v.Key, v.Source)
		},
	}
}

func streamsSet(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "set STREAM NAME=VALUE…", Short: "Set variables of a stream, over what its source says; an empty value takes yours back", Args: cobra.MinimumNArgs(2), ValidArgsFunction: g.completes(ofStreams),
		RunE: func(cmd *cobra.Command, args []string) error {
			vars, err := parseVars(args[1:])
			if err != nil {
				return err
			}
			if err := stream.CheckVars(vars); err != nil {
				return usageError("%v", err)
			}
			fields := map[string]string{}
			for name, value := range vars {
				fields["var:"+name] = value
			}
			return g.override(cmd, args[0], fields, true)
		},
	}
}

func streamsHold(g *global, hold bool) *cobra.Command {
	c := &cobra.Command{
		Use: "hold STREAM", Short: "Stop a stream's slots and keep them from running until `streams unhold`", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofStreams),
	}
	value := "1"
	if !hold {
		c.Use, c.Short, value = "unhold STREAM", "Let a held stream run again", ""
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return g.override(cmd, args[0], map[string]string{"held": value}, hold)
	}
	return c
}

// override writes an operator's words down. New ones may come before their
// stream; to take back what nobody said is a mistake.
func (g *global) override(cmd *cobra.Command, key string, fields map[string]string, early bool) error {
	if err := stream.CheckKey(key); err != nil {
		return usageError("%v", err)
	}
	return g.with(cmd, func(ctx context.Context, s *store.Store) error {
		_, err := s.Record(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if unknown := knownStream(ctx, s, key, err); unknown != nil && early {
			say("%v; your word waits for it", unknown)
		} else if unknown != nil {
			declared, err := s.Declared(ctx, key)
			if err != nil {
				return err
			}
			if !declared.Overrides.Held {
				return unknown
			}
		}
		return s.Override(ctx, key, fields)
	})
}
