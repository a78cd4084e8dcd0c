package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stream-api/scheduler"
	"stream-api/store"
	"stream-api/stream"
)

func rebalanceCommand(g *global) *cobra.Command {
	var apply bool
	var limit time.Duration
	c := &cobra.Command{
		Use: "rebalance [TYPE]", Short: "Which moves would help, and make them", GroupID: "act", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: g.completes(ofTypes),
		Long: `List the moves that would help: to a host that is nearer to what the slot is to be near
to, that asks for its stream or prefers others less, that has fewer copies at its site,
or that would be emptier with it than its own host is. Nothing moves by itself for
such a gain.

--apply makes them, one after the other: the next one begins when the one before
runs, and is chosen anew by what is so then. Each instance moves once at most. A move
that comes to nothing is told, and makes the exit code 4.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if apply && asJSON {
				return usageError("-o json is for the list: leave --apply out")
			}
			only := ""
			if len(args) == 1 {
				only = args[0]
				if err := stream.CheckType(only); err != nil {
					return usageError("type %v", err)
				}
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				if apply {
					return applyRebalance(ctx, s, only, limit)
				}
				list, err := readRebalance(ctx, s, only)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(os.Stdout, list)
				}
				return printRebalance(os.Stdout, list, onTerminal(os.Stdout))
			})
		},
	}
	g.outputFlag(c)
	c.Flags().BoolVar(&apply, "apply", false, "make the moves, one after the other")
	c.Flags().DurationVar(&limit, "deadline", moveLimit, "give each move up after this time")
	return c
}

func readRebalance(ctx context.Context, s *store.Store, only string) ([]stream.Rebalancing, error) {
	if only != "" {
		types, err := ofTypes(ctx, s, nil)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(types, only) {
			return nil, unknown("service type", only, types)
		}
	}
	list, err := scheduler.Rebalance(ctx, s, only)
	stream.Show(&list)
	return list, err
}

func printRebalance(w io.Writer, list []stream.Rebalancing, colours bool) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No move would help.")
		return err
	}
	t := &table{head: []string{"STREAM", "SLOT", "FROM", "TO", "GAP", "GAIN"}}
	for _, v := range list {
		gap := "no"
		if v.Gap {
			gap = "yes"
		}
		t.add(cell{v.Stream, plain}, cell{v.Name, plain}, cell{v.From, plain}, cell{v.To, plain}, cell{gap, plain}, cell{v.Reason, plain})
	}
	return t.write(w, colours)
}

// applyRebalance makes the moves one after the other, each chosen when the one before is over.
func applyRebalance(ctx context.Context, s *store.Store, only string, limit time.Duration) error {
	type place struct {
		key, slot string
		copy      int
	}
	tried, failed := map[place]bool{}, 0
	for {
		list, err := readRebalance(ctx, s, only)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(v stream.Rebalancing) bool { return !tried[place{v.Stream, v.Slot, v.Copy}] })
		if at < 0 {
			break
		}
		next := list[at]
		tried[place{next.Stream, next.Slot, next.Copy}] = true
		why, err := rebalanceOne(ctx, s, next, limit)
		if err != nil {
			return err
		}
		if why != "" {
			failed++
			say("%s of %s stays on %s: %s", next.Name, next.Stream, next.From, why)
			continue
		}
		say("%s of %s runs on %s: %s", next.Name, next.Stream, next.To, next.Reason)
	}
	if failed > 0 {
		return noRoom(fmt.Errorf("%d of %d moves came to nothing", failed, len(tried)))
	}
	if len(tried) == 0 {
		say("no move would help")
	}
	return nil
}

// rebalanceOne returns when a move is over: why it came to nothing; empty: it did not.
func rebalanceOne(ctx context.Context, s *store.Store, v stream.Rebalancing, limit time.Duration) (why string, err error) {
	m, err := s.Move(ctx, v.Stream, v.Instance, v.To, limit)
	var not *store.MoveError
	switch {
	case errors.As(err, &not), errors.Is(err, store.ErrNotFound):
		return err.Error(), nil // it is not as it was a moment ago
	case err != nil:
		return "", err
	}
	until := time.Now().Add(limit + 5*time.Second) // the schedulers give up first, with a reason
	err = await(ctx, s, func(ctx context.Context) (bool, error) {
		// Wishes first: the slot is then read after its wish ended.
		wished, err := wishes(ctx, s, m)
		if err != nil {
			return false, err
		}
		record, err := s.Record(ctx, v.Stream)
		if errors.Is(err, store.ErrNotFound) {
			why = "the stream ended"
			return true, nil
		}
		if err != nil {
			return false, err
		}
		why = "the move was given up"
		for _, i := range record.Of(v.Slot) {
			switch {
			case i.Copy != v.Copy:
			case i.Host == v.To && i.State == stream.Running && i.Phase == stream.Runs && !wished:
				why = ""
				return true, nil
			case !i.Reason.IsZero():
				why = i.Reason.String()
			}
		}
		gone := !wished && !slices.ContainsFunc(record.Of(v.Slot), func(i store.InstanceRecord) bool {
			return i.Copy == v.Copy && (i.Host == v.To || i.State == stream.Pending) // on its way still
		})
		return gone || time.Now().After(until), nil
	})
	return why, err
}
