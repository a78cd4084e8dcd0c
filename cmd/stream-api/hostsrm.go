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
	"stream-api/stream"
)

func hostsRemove(g *global) *cobra.Command {
	var lose bool
	c := &cobra.Command{
		Use: "rm HOST", Short: "Forget a host that will not come back", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofHosts),
		Long: `Forget a host that will not come back: its services, what an operator said of
it, its queues.

Refused while it lives or holds slots: have it hand them over first (hosts drain
HOST --wait), and end it. One that was only forgotten too early registers again
at its next start, without the cordon it may have had. A host that is down is
forgotten by itself after a day, unless it is cordoned.

Refused as well while jobs wait for files that lie there, such as an upload of
what it recorded: they are lost with it. With --lose-jobs they count as failed,
and stay in jobs ls --failed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				if err := loseJobs(ctx, s, args[0], lose); err != nil {
					return err
				}
				return forgetHost(ctx, s, args[0])
			})
		},
	}
	c.Flags().BoolVar(&lose, "lose-jobs", false, "have jobs that wait for files of the host count as failed")
	return c
}

// loseJobs has the jobs that wait for files of a host count as failed, if that is what
// somebody wants; else it says that there are such.
func loseJobs(ctx context.Context, s *store.Store, host string, lose bool) error {
	jobs, err := s.JobsBoundTo(ctx, host)
	if err != nil {
		return err
	}
	if len(jobs) > 0 && !lose {
		return fmt.Errorf("%d jobs wait for files that lie on %s: %s; have them done (hosts drain %s --wait), or give them up with --lose-jobs", len(jobs), host, (&drainJobs{list: jobs}).names(), host)
	}
	for _, j := range jobs {
		if err := s.FailJob(ctx, j.Key, j.Instance, stream.Because(stream.CodeHostLost, "host", host)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if len(jobs) > 0 {
		say("%d jobs for files of %s count as failed: stream-api jobs ls --failed", len(jobs), host)
	}
	return nil
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
