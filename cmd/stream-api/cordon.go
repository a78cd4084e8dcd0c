package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

func hostsCordon(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "cordon HOST", Short: "Give a host nothing new; it keeps what it has", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofHosts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.setHost(cmd, args[0], stream.Cordoned, "takes nothing new; later: stream-api hosts uncordon "+args[0])
		},
	}
}

func hostsUncordon(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "uncordon HOST", Short: "Let a cordoned or drained host take slots again", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofHosts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.setHost(cmd, args[0], stream.Up, "takes slots again")
		},
	}
}

func (g *global) setHost(cmd *cobra.Command, host string, state stream.HostState, said string) error {
	return g.with(cmd, func(ctx context.Context, s *store.Store) error {
		if _, err := readHost(ctx, s, host); err != nil {
			return err
		}
		if err := s.Cordon(ctx, host, state); err != nil {
			return err
		}
		say("%s %s", host, said)
		return nil
	})
}

func hostsDrain(g *global) *cobra.Command {
	var deadline time.Duration
	var wait bool
	var atATime int
	c := &cobra.Command{
		Use: "drain HOST", Short: "Hand over what a host holds, a few slots at a time, and give it nothing new", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofHosts),
		Long: `Hand over what a host holds, a few slots at a time, and give it nothing new.

A slot leaves only when another host has room for it, and the next one's turn
comes when it runs there. Of one stream no two slots are moved at once of which
one waits for what the other publishes. With --deadline, what is
left then is stopped there, room elsewhere or not. The host stays drained, over
its restarts too, until: stream-api hosts uncordon HOST.

Jobs that wait for files of the host, or run there, are part of what it holds:
it goes on running those, and only those, until all are done or have failed.

--wait stays until the host holds nothing and no job waits for it: exit 0, or 4
if slots had to be stopped because the deadline passed, or jobs are left by then.
The deadline cuts no job off.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if deadline < 0 {
				return usageError("--deadline %v is before now", deadline)
			}
			if atATime < 1 || atATime > 1000 {
				return usageError("--at-a-time %d is no number from 1 to 1000", atATime)
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				if _, err := readHost(ctx, s, args[0]); err != nil {
					return err
				}
				if err := s.Drain(ctx, args[0], deadline, atATime); err != nil {
					return err
				}
				say("%s is drained; later: stream-api hosts uncordon %s", args[0], args[0])
				if !wait {
					return nil
				}
				return awaitDrain(ctx, s, args[0])
			})
		},
	}
	c.Flags().DurationVar(&deadline, "deadline", 0, "stop what could not be handed over by then, such as 10m (default: wait for room as long as it takes)")
	c.Flags().BoolVar(&wait, "wait", false, "stay until the host holds nothing")
	c.Flags().IntVar(&atATime, "at-a-time", store.AtATime, "how many slots are on their way at once")
	return c
}

// awaitDrain returns when the host holds nothing; its error has exit code 4 if
// slots were stopped because the drain's deadline passed.
func awaitDrain(ctx context.Context, s *store.Store, host string) error {
	left, stopped := -1, 0
	var jobs drainJobs
	err := await(ctx, s, func(ctx context.Context) (bool, error) {
		now, err := s.Now(ctx)
		if err != nil {
			return false, err
		}
		h, err := readHost(ctx, s, host)
		if err != nil {
			return false, err
		}
		held, err := s.SlotsOf(ctx, host)
		if err == nil {
			held = slices.DeleteFunc(held, func(v store.InstanceRecord) bool { return v.Job != nil })
			err = jobs.read(ctx, s, host)
		}
		passed := h.DrainUntil != 0 && now >= h.DrainUntil
		switch {
		case err != nil:
			return false, err
		case len(held) == 0 && (passed || len(jobs.list) == 0):
			if passed && left > 0 {
				stopped = max(stopped, left) // they left between two looks, at the deadline
			}
			return true, nil
		case h.Want != stream.Draining:
			return false, fmt.Errorf("the drain of %s was called off; it still holds %d slots", host, len(held))
		}
		jobs.say(host)
		if passed && stopped == 0 {
			stopped = len(held)
			say("the deadline passed; %d slots are stopped on %s", stopped, host)
		}
		if len(held) != left {
			left = len(held)
			if left == 0 {
				return false, nil // of the jobs that are left jobs.say told
			}
			say("%s holds %d: %s", host, left, slotNames(held))
		}
		return false, nil
	})
	if err == nil && len(jobs.list) > 0 {
		return noRoom(fmt.Errorf("the deadline passed, and %s is not empty: %s; they run there still: stream-api hosts drain %s --wait", host, jobs.names(), host))
	}
	if err == nil && stopped > 0 {
		err = noRoom(fmt.Errorf("the deadline passed before all of %s was handed over: %d slots were stopped there", host, stopped))
	}
	return err
}

// drainJobs are the jobs that a host is not empty before the end of.
type drainJobs struct {
	list []store.Job
	told int // so many were said
}

func (d *drainJobs) read(ctx context.Context, s *store.Store, host string) error {
	all, err := s.Jobs(ctx)
	if err != nil {
		return err
	}
	d.list = slices.DeleteFunc(all, func(j store.Job) bool {
		return j.State == stream.JobFailed || j.Only != host && j.Host != host
	})
	return nil
}

// say tells how many there are, when they have become fewer by much, or more.
func (d *drainJobs) say(host string) {
	n := len(d.list)
	if n == d.told || n < d.told && n > maxListed && n > d.told-d.told/10 {
		return
	}
	d.told = n
	if n > 0 {
		say("%d jobs for files of %s are left: %s", n, host, d.names())
	}
}

func (d *drainJobs) names() string {
	var names []string
	for i, j := range d.list {
		if i == maxListed {
			names = append(names, fmt.Sprintf("and %d more", len(d.list)-i))
			break
		}
		text := j.Job.Name + " of " + j.Key
		if j.State == stream.Pending && !j.Reason.IsZero() {
			text += " (" + j.Reason.String() + ")"
		}
		names = append(names, harmless(text))
	}
	return strings.Join(names, ", ")
}

// slotNames lists a few slots with what keeps each from leaving.
func slotNames(held []store.InstanceRecord) string {
	text := ""
	for i, v := range held {
		if i == maxListed {
			return text + fmt.Sprintf(" and %d more", len(held)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += v.Key + " " + stream.SlotOf(v.Instance)
		if !v.Reason.IsZero() {
			text += " (" + harmless(v.Reason.String()) + ")"
		}
	}
	return text
}
