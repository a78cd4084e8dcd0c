package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stream-api/internal/legible"
	"stream-api/store"
)

// completeLimit bounds what a press of the tab key may take.
const completeLimit = time.Second

// names lists what an argument may be, given those before it.
type names func(ctx context.Context, s *store.Store, before []string) ([]string, error)

// completes offers the names that the store knows for a command's arguments,
// in their order. Without the store it offers nothing.
func (g *global) completes(args ...names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, before []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(before) >= len(args) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeLimit)
		defer cancel()
		s, done, err := g.open(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer done()
		found, err := args[len(before)](ctx, s, before)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// A shell takes escapes and blanks in a name for more than a name.
		found = slices.DeleteFunc(found, func(name string) bool {
			return strings.ContainsFunc(name, legible.Odd) || strings.ContainsAny(name, " \t")
		})
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completesList is completes for a flag that takes several names, joined by
// commas.
func (g *global) completesList(of names) cobra.CompletionFunc {
	one := g.completes(of)
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		found, directive := one(cmd, nil, "")
		for i := range found {
			found[i] = before + found[i]
		}
		return found, directive | cobra.ShellCompDirectiveNoSpace
	}
}

// completeFlag offers values of a flag.
func completeFlag(c *cobra.Command, flag string, offer cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, offer); err != nil {
		panic(err) // the flag is there, and offered for once
	}
}

func ofStreams(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	return s.StreamKeys(ctx)
}

func ofSlots(ctx context.Context, s *store.Store, before []string) ([]string, error) {
	r, err := s.Record(ctx, before[0])
	names := r.Chain
	for _, slot := range r.Chain {
		if all := r.Of(slot); len(all) > 1 {
			for _, v := range all {
				names = append(names, v.Instance)
			}
		}
	}
	return names, err
}

func ofTypes(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	return s.Types(ctx)
}

func ofHosts(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]string, 0, len(hosts))
	for _, h := range hosts {
		found = append(found, h.Host)
	}
	return found, nil
}

func ofSources(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]string, 0, len(sources))
	for _, v := range sources {
		found = append(found, v.Name)
	}
	return found, nil
}
