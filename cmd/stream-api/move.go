package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"stream-api/scheduler"
	"stream-api/store"
	"stream-api/stream"
)

// moving is what `streams move` was asked for.
type moving struct {
	key, slot, to            string
	pin, unpin, wait, anyway bool
	limit                    time.Duration
}

func streamsMove(g *global) *cobra.Command {
	var o moving
	c := &cobra.Command{
		Use: "move STREAM SLOT [HOST]", Short: "Move one slot to another host", Args: cobra.RangeArgs(2, 3), ValidArgsFunction: g.completes(ofStreams, ofSlots, ofHosts),
		Long: `Move one slot to HOST, or to any other host that has room.

It is stopped where it runs only when the other host has room; a service with
handover: start_first starts there before it stops here. --pin keeps the slot on
HOST from now on, even if that means waiting for it; --unpin alone only takes
that word back.

--anyway puts a copy on HOST though one is there that it is apart from, or lets it
have a place there if it waits. It may be there until the two are apart again, which
the schedulers do not bring about; move it elsewhere for that.

--wait stays until it runs there: exit 0, or 4 if there is no room or the
deadline passed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key, o.slot = args[0], args[1]
			if len(args) == 3 {
				o.to = args[2]
			}
			if err := o.check(); err != nil {
				return err
			}
			return g.with(cmd, o.carryOut)
		},
	}
	c.Flags().BoolVar(&o.pin, "pin", false, "keep the slot on HOST from now on")
	c.Flags().BoolVar(&o.unpin, "unpin", false, "let the slot run anywhere again")
	c.Flags().BoolVar(&o.anyway, "anyway", false, "put a copy beside another that it is apart from")
	c.Flags().BoolVar(&o.wait, "wait", false, "stay until the slot runs on the other host")
	c.Flags().DurationVar(&o.limit, "deadline", moveLimit, "give the move up after this time")
	return c
}

func (o moving) check() error {
	if err := stream.CheckKey(o.key); err != nil {
		return usageError("%v", err)
	}
	if err := stream.CheckSlotOrInstance(o.slot); err != nil {
		return usageError("slot %v", err)
	}
	switch {
	case o.pin && o.unpin:
		return usageError("--pin and --unpin contradict each other")
	case o.pin && o.to == "":
		return usageError("--pin needs the host: stream-api streams move %s %s HOST --pin", o.key, o.slot)
	case o.anyway && (o.pin || o.unpin):
		return usageError("--anyway is about one copy, and a pin about all of them: leave one of both out")
	case o.anyway && o.to == "":
		return usageError("--anyway needs the host: stream-api streams move %s %s HOST --anyway", o.key, o.slot)
	case o.limit <= 0:
		return usageError("--deadline %v is no time to move anything in", o.limit)
	}
	return nil
}

func (o moving) carryOut(ctx context.Context, s *store.Store) error {
	if o.unpin {
		if err := s.Unpin(ctx, o.key, o.slot); err != nil {
			return err
		}
		say("%s of %s may run anywhere", o.slot, o.key)
		if o.to == "" {
			return nil
		}
	}
	instance, err := readInstance(ctx, s, o.key, o.slot)
	if err != nil {
		return err
	}
	if o.to != "" {
		if _, err := readHost(ctx, s, o.to); err != nil {
			return err
		}
		if err := mayTake(ctx, s, o.key, o.slot, o.to); err != nil {
			return noRoom(err)
		}
	}
	if instance.State == stream.Running && instance.Host == o.to && !o.pin && !o.anyway {
		say("%s of %s runs on %s already", o.slot, o.key, o.to)
		return nil
	}
	m, moving, err := o.ask(ctx, s)
	var refused *store.MoveError
	if errors.As(err, &refused) && refused.Refused() {
		return noRoom(err)
	}
	if err != nil {
		return err
	}
	if o.pin {
		say("%s of %s is pinned to %s; to take that back: stream-api streams move %s %s --unpin", o.slot, o.key, o.to, o.key, o.slot)
	}
	if !moving {
		if o.anyway {
			say("%s of %s may be on %s beside copies that it is apart from, until they are apart again", o.slot, o.key, o.to)
		}
		return o.awaitPlace(ctx, s)
	}
	if !o.wait {
		say("%s of %s leaves %s; see: stream-api events -f", o.slot, o.key, m.Host)
		return nil
	}
	return o.await(ctx, s, m)
}

// mayTake is the error for a host that never takes the slot, however much room it has.
func mayTake(ctx context.Context, s *store.Store, key, slot, host string) error {
	why, err := scheduler.Refuses(ctx, s, key, slot, host)
	if err != nil {
		return err
	}
	if why.Reason != "" {
		return store.RefuseMove(fmt.Sprintf("%s takes no %s of %s: %s", host, slot, key, stream.Shown(why.Reason)))
	}
	return nil
}

// ask writes the wish down; moving tells whether it moves: what is pinned where
// it is, or before it runs, does not.
func (o moving) ask(ctx context.Context, s *store.Store) (m store.Move, moving bool, err error) {
	if o.pin {
		return s.Pin(ctx, o.key, o.slot, o.to, o.limit)
	}
	if o.anyway {
		return s.MoveAnyway(ctx, o.key, o.slot, o.to, o.limit)
	}
	m, err = s.Move(ctx, o.key, o.slot, o.to, o.limit)
	return m, err == nil, err
}

// await returns when the move is over; its error has exit code 4 if it was
// given up.
func (o moving) await(ctx context.Context, s *store.Store, m store.Move) error {
	until := time.Now().Add(o.limit + 5*time.Second) // the schedulers give up first, with a reason
	return await(ctx, s, func(ctx context.Context) (bool, error) {
		// Wishes first: the slot is then read after its wish ended.
		wished, err := wishes(ctx, s, m)
		if err != nil {
			return false, err
		}
		instance, err := readInstance(ctx, s, o.key, o.slot)
		switch {
		case err != nil:
			return false, fmt.Errorf("it ended while it was moved: %w", err)
		case instance.State == stream.Running && instance.Phase == stream.Runs && instance.Token != m.Token:
			return true, o.arrived(instance)
		case !wished && instance.Token == m.Token:
			return false, noRoom(fmt.Errorf("%s of %s stays on %s: %s", o.slot, o.key, instance.Host, orElse(instance.Reason.String(), "the move was given up")))
		case time.Now().After(until):
			return false, noRoom(fmt.Errorf("%s of %s is not moved after %v: it is %s; %s", o.slot, o.key, o.limit, orElse(string(instance.Phase), string(instance.State)), orElse(instance.Reason.String(), "is a scheduler at work?")))
		}
		return false, nil
	})
}

// awaitPlace waits for a pending slot that was pinned, if that was asked for.
func (o moving) awaitPlace(ctx context.Context, s *store.Store) error {
	if !o.wait {
		return nil
	}
	until := time.Now().Add(o.limit)
	return await(ctx, s, func(ctx context.Context) (bool, error) {
		instance, err := readInstance(ctx, s, o.key, o.slot)
		switch {
		case err != nil:
			return false, err
		case instance.State == stream.Running && instance.Phase == stream.Runs:
			return true, o.arrived(instance)
		case time.Now().After(until):
			return false, noRoom(fmt.Errorf("%s of %s does not run after %v: %s", o.slot, o.key, o.limit, orElse(instance.Reason.String(), orElse(string(instance.Phase), string(instance.State)))))
		}
		return false, nil
	})
}

// arrived says where the slot runs now.
func (o moving) arrived(instance store.InstanceRecord) error {
	if o.to != "" && instance.Host != o.to {
		return noRoom(fmt.Errorf("%s of %s runs on %s instead: %s had no room any more", o.slot, o.key, instance.Host, o.to))
	}
	say("%s of %s runs on %s", o.slot, o.key, instance.Host)
	return nil
}

// wishes tells whether the schedulers still work on the move.
func wishes(ctx context.Context, s *store.Store, m store.Move) (bool, error) {
	moves, err := s.Moves(ctx)
	if err != nil {
		return false, err
	}
	for _, v := range moves {
		if v.Key == m.Key && v.Instance == m.Instance && v.Token == m.Token {
			return true, nil
		}
	}
	return false, nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
