package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/queue"
	"stream-api/store"
)

func hostsRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm HOST", Short: "Forget a host that will not come back", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofHosts),
		Long: `Forget a host that will not come back: its services, what an operator said of
it, its queues.

Refused while it lives or holds slots: have it hand them over first (hosts drain
HOST --wait), and end it. One that was only forgotten too early registers again
at its next start, without the cordon it may have had. A host that is down is
forgotten by itself after a day, unless it is cordoned.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.with(cmd, func(ctx context.Context, s *store.Store) error { return forgetHost(ctx, s, args[0]) })
		},
	}
}

func forgetHost(ctx context.Context, s *store.Store, host string) error {
	err := s.ForgetGone(ctx, host)
	if errors.Is(err, store.ErrNotFound) {
		known, listErr := ofHosts(ctx, s, nil)
		return errors.Join(listErr, unknown("host", host, known))
	}
	if err != nil {
		return err
	}
	say("host %s is forgotten", host)
	q, err := queue.NewClient(s.Client(), s.Namespace())
	if err == nil {
		err = q.RemoveHost(ctx, host)
	}
	if err != nil {
		return fmt.Errorf("%w: it is forgotten, but a queue of it stays; remove it in asynqmon", err)
	}
	pinned, err := pinnedTo(ctx, s, host)
	if len(pinned) > 0 {
		say("pinned to it, and waiting for it until that word is taken back:\n  stream-api streams move %s --unpin",
			strings.Join(pinned, " --unpin\n  stream-api streams move "))
	}
	return err
}

// pinnedTo lists the slots that an operator keeps on a host, each as key and slot.
func pinnedTo(ctx context.Context, s *store.Store, host string) ([]string, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.DeclaredOf(ctx, keys)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, declared := range all {
		for slot, on := range declared.Overrides.Pins {
			if on == host {
				out = append(out, declared.Key+" "+slot)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
