package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

// restartLimit bounds the wait for one slot's restart: a child's grace (10 s
// unless configured otherwise) and its start, several times.
const restartLimit = time.Minute

func streamsRestart(g *global) *cobra.Command {
	var stale, wait bool
	var limit time.Duration
	c := &cobra.Command{
		Use: "restart [STREAM [SLOT]]", Short: "Start the children of a stream or slot anew where they are", Args: cobra.MaximumNArgs(2), ValidArgsFunction: g.completes(ofStreams, ofSlots),
		Long: `Start the children of a stream, or of one slot, anew where they are, gracefully
and with the environment they should have now.

--stale restarts only those whose environment would differ, as status shows it.
Without STREAM that is done for all streams, one slot at a time, each after the
one before it is up again.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !stale:
				return usageError("name the stream, or say --stale for all that are stale")
			case limit <= 0:
				return usageError("--deadline %v is no time to restart anything in", limit)
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				instances, err := toRestart(ctx, s, args, stale)
				if err != nil {
					return err
				}
				return restartEach(ctx, s, instances, stale, wait || len(args) == 0, limit)
			})
		},
	}
	c.Flags().BoolVar(&stale, "stale", false, "only what would be started with another environment now")
	c.Flags().BoolVar(&wait, "wait", false, "one slot at a time, each after the one before is up again")
	c.Flags().DurationVar(&limit, "deadline", restartLimit, "how long to wait for one slot")
	return c
}

// restarting is an instance that is to be started anew, and what it is called.
type restarting struct {
	store.Reservation
	name string
}

// toRestart lists what runs that the arguments mean, in chain order.
func toRestart(ctx context.Context, s *store.Store, args []string, stale bool) ([]restarting, error) {
	if len(args) == 2 {
		v, err := readInstance(ctx, s, args[0], args[1])
		return []restarting{{v.Reservation, args[1]}}, err
	}
	var streams []stream.StreamStatus
	if len(args) == 1 {
		v, err := s.StreamStatus(ctx, args[0])
		if err != nil {
			return nil, knownStream(ctx, s, args[0], err)
		}
		streams = append(streams, v)
	} else {
		status, err := s.Status(ctx)
		if err != nil {
			return nil, err
		}
		streams = status.Streams
	}
	var out []restarting
	for _, v := range streams {
		for _, instance := range v.Slots {
			if instance.State == stream.Running && (instance.Stale || !stale) {
				of := store.Reservation{Key: v.Key, Instance: instance.Instance, Type: instance.Type, Host: instance.Host, Token: instance.Token}
				out = append(out, restarting{of, instance.Name})
			}
		}
	}
	return out, nil
}

// restartEach asks for the restarts; with wait each after the one before is
// over. What ends or moves meanwhile needs none.
func restartEach(ctx context.Context, s *store.Store, instances []restarting, stale, wait bool, limit time.Duration) error {
	n := 0
	for _, v := range instances {
		asked, err := s.Restart(ctx, v.Key, v.Instance, stale)
		var idle *store.MoveError
		if len(instances) > 1 && (errors.As(err, &idle) || errors.Is(err, store.ErrNotFound)) {
			continue
		}
		if err != nil {
			return err
		}
		if !asked {
			continue
		}
		n++
		say("%s of %s on %s is started anew", v.name, v.Key, v.Host)
		if !wait {
			continue
		}
		if err := awaitRestart(ctx, s, v, limit); err != nil {
			return err
		}
	}
	if n == 0 {
		say("nothing to restart: nothing runs that would be started otherwise")
	}
	return nil
}

// awaitRestart returns when the holder fulfilled the wish and said that the
// child is up, or when the slot is not this holder's any more.
func awaitRestart(ctx context.Context, s *store.Store, v restarting, limit time.Duration) error {
	until := time.Now().Add(limit)
	return await(ctx, s, func(ctx context.Context) (bool, error) {
		r, err := s.Record(ctx, v.Key)
		if errors.Is(err, store.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		instance := r.Instances[v.Instance]
		switch {
		case instance.Token != v.Token || instance.State != stream.Running:
			return true, nil
		case instance.Restart == 0 && instance.Up:
			return true, nil
		case time.Now().After(until):
			return false, noRoom(fmt.Errorf("%s of %s is not up again on %s after %v: %s", v.name, v.Key, instance.Host, limit, orElse(instance.Reason.String(), "its host has not taken up the wish")))
		}
		return false, nil
	})
}
