package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/store"
	"stream-api/stream"
)

func streamsSlots(g *global) *cobra.Command {
	var reset bool
	c := &cobra.Command{
		Use: "slots STREAM SLOT=on|off…", Short: "Switch slots of a stream on or off, over what its chain says", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: g.completesSwitches,
		Long: `Switch slots of a stream on or off, over what its chain says.

A slot that is off ends, alone; one that is on is started, though the chain does
not have it, if somebody offers a service of its name. The words outlive the
stream, and any change of its chain, until: stream-api streams slots STREAM --reset.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := parseSwitches(args[1:])
			switch {
			case err != nil:
				return err
			case reset && len(words) > 0:
				return usageError("--reset takes all such words back; it goes with no SLOT=on|off")
			case !reset && len(words) == 0:
				return usageError("say which: stream-api streams slots %s record=on thumb=off, or --reset", args[0])
			}
			if err := stream.CheckKey(args[0]); err != nil {
				return usageError("%v", err)
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				if reset {
					return resetSwitches(ctx, s, args[0])
				}
				return switchSlots(ctx, s, args[0], words)
			})
		},
	}
	c.Flags().BoolVar(&reset, "reset", false, "take all such words on the stream back")
	return c
}

// parseSwitches reads SLOT=on and SLOT=off.
func parseSwitches(args []string) (map[string]string, error) {
	words := make(map[string]string, len(args))
	for _, arg := range args {
		slot, to, ok := strings.Cut(arg, "=")
		if !ok || to != store.SwitchOn && to != store.SwitchOff {
			return nil, usageError("%s: write SLOT=on or SLOT=off", stream.Quote(arg))
		}
		if err := config.CheckSlot(slot); err != nil {
			return nil, usageError("%v", err)
		}
		if was, twice := words[slot]; twice && was != to {
			return nil, usageError("%s is to be both on and off", slot)
		}
		words[slot] = to
	}
	return words, nil
}

// switchSlots writes the words down. They may come before their stream; a slot
// that nothing stands behind is a mistake.
func switchSlots(ctx context.Context, s *store.Store, key string, words map[string]string) error {
	r, err := s.Record(ctx, key)
	early := errors.Is(err, store.ErrNotFound)
	if err != nil && !early {
		return err
	}
	d, err := s.Declared(ctx, key)
	if err != nil {
		return err
	}
	offered, err := offeredTypes(ctx, s)
	if err != nil {
		return err
	}
	chain := d.Overrides.Unswitch(r.Chain)
	fields := make(map[string]string, len(words))
	for slot, to := range words {
		inChain := slices.Contains(chain, slot) || slices.Contains(r.Chain, slot)
		if to == store.SwitchOn && !inChain && !slices.Contains(offered, slot) {
			return fmt.Errorf("%w: the chain of %s has no such slot, and no host offers a service of that name", unknown("slot", slot, append(offered, chain...)), key)
		}
		if to == store.SwitchOff && !inChain && !early {
			return fmt.Errorf("%w: the chain of %s has no such slot", unknown("slot", slot, chain), key)
		}
		fields["slot:"+slot] = to
	}
	if n := len(d.Overrides.Slots) + len(words); n > stream.MaxChain {
		return usageError("%d slots of %s would be switched; a stream has %d at most", n, key, stream.MaxChain)
	}
	if early {
		say("%v; your word waits for it", knownStream(ctx, s, key, fmt.Errorf("stream %s: %w", stream.Quote(key), store.ErrNotFound)))
	}
	if err := s.Override(ctx, key, fields); err != nil {
		return err
	}
	say("over what its chain says, until: stream-api streams slots %s --reset", key)
	return nil
}

func resetSwitches(ctx context.Context, s *store.Store, key string) error {
	d, err := s.Declared(ctx, key)
	if err != nil {
		return err
	}
	if len(d.Overrides.Slots) == 0 {
		if _, err := s.Record(ctx, key); err != nil {
			return knownStream(ctx, s, key, err)
		}
		say("no slot of %s is switched", key)
		return nil
	}
	fields := map[string]string{}
	for slot := range d.Overrides.Slots {
		fields["slot:"+slot] = ""
	}
	return s.Override(ctx, key, fields)
}

// switchText tells of the slots of a stream that an operator switched.
func switchText(on, off []string) string {
	var said []string
	if len(on) > 0 {
		said = append(said, strings.Join(on, ", ")+" on")
	}
	if len(off) > 0 {
		said = append(said, strings.Join(off, ", ")+" off")
	}
	return strings.Join(said, "; ")
}

// completesSwitches offers streams, then what their slots may be switched to.
func (g *global) completesSwitches(cmd *cobra.Command, before []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(before) == 0 {
		return g.completes(ofStreams)(cmd, before, typed)
	}
	switches := func(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
		r, err := s.Record(ctx, before[0])
		if err != nil {
			return nil, err
		}
		offered, err := offeredTypes(ctx, s)
		var out []string
		for _, slot := range r.Chain {
			out = append(out, slot+"="+store.SwitchOff)
		}
		for _, slot := range offered {
			if !slices.Contains(r.Chain, slot) {
				out = append(out, slot+"="+store.SwitchOn)
			}
		}
		return out, err
	}
	return g.completes(switches)(cmd, nil, typed)
}

// offeredTypes are the types of all hosts' services, also of hosts that are down.
func offeredTypes(ctx context.Context, s *store.Store) ([]string, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	var types []string
	for _, h := range hosts {
		for _, v := range h.Services {
			types = append(types, v.Type)
		}
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}
