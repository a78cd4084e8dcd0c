package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

func jobsCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "jobs", Short: "What is to be done after recordings and other slots: list, try again, forget", GroupID: "act", Args: cobra.NoArgs,
		Long: `A job is what is to be done when a child of a slot has ended, such as an upload:
{job: upload, of: record} in a chain. It is made once for each end, or with
each: item for each line that the child wrote, and stays until it is done.

A JOB is named as jobs ls shows it, upload~1c52cfb159f87c74, or by the first
digits of what follows the ~.`,
	}
	c.AddCommand(jobsList(g), jobsShow(g), jobsRetry(g), jobsRemove(g))
	return c
}

// maxDone is how many results jobs ls --done gives at most.
const maxDone = 10_000

func jobsList(g *global) *cobra.Command {
	var failed, done bool
	var of string
	n := 50
	c := &cobra.Command{
		Use: "ls", Short: "List jobs that wait, run or have failed; with --done those that are done", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.json()
			switch {
			case err != nil:
				return err
			case failed && done:
				return usageError("--failed and --done: a job is one of them; leave one out")
			case n < 1 || n > maxDone:
				return usageError("-n %d: write a number from 1 to %d", n, maxDone)
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				list, err := listJobs(ctx, s, done, n)
				if err != nil {
					return err
				}
				list = slices.DeleteFunc(list, func(j stream.JobStatus) bool {
					return failed && j.State != stream.JobFailed || of != "" && j.Stream != of
				})
				if asJSON {
					return printJSON(os.Stdout, list)
				}
				now, err := s.Now(ctx)
				if err != nil {
					return err
				}
				return jobTable(list, now).write(os.Stdout, onTerminal(os.Stdout))
			})
		},
	}
	g.outputFlag(c)
	c.Flags().BoolVar(&failed, "failed", false, "only those that have failed, and wait for somebody")
	c.Flags().BoolVar(&done, "done", false, "those that are done, the latest first; they are kept for 7 days, 10000 at most")
	c.Flags().StringVar(&of, "stream", "", "only those of this stream")
	c.Flags().IntVarP(&n, "lines", "n", n, "with --done: how many")
	completeFlag(c, "stream", g.completes(ofJobStreams))
	return c
}

func listJobs(ctx context.Context, s *store.Store, done bool, n int) ([]stream.JobStatus, error) {
	out := []stream.JobStatus{}
	if done {
		results, err := s.DoneJobs(ctx, n)
		for _, r := range results {
			out = append(out, r.Status())
		}
		return out, err
	}
	jobs, err := s.Jobs(ctx)
	for _, j := range jobs {
		out = append(out, j.Status())
	}
	return out, err
}

func oldestJob(j *stream.JobsStatus, now int64) string {
	if j.Oldest == 0 {
		return ""
	}
	return ", the oldest made " + ago(now, j.Oldest) + " ago"
}

func jobTable(list []stream.JobStatus, now int64) *table {
	t := &table{head: []string{"STREAM", "JOB", "OF", "STATE", "HOST", "SINCE", "TRIES", "REASON"}}
	for _, j := range list {
		shown, tries, reason := cell{string(j.State), plain}, strconv.Itoa(j.Tries), j.Reason
		switch j.State {
		case stream.JobFailed:
			shown.colour = red
		case stream.JobDone:
			shown.colour, tries = green, "-"
			reason = fmt.Sprintf("exit %d after %s", j.Code, lasted(j.Ended-j.Began))
		case stream.Pending, stream.Assigned:
			shown.text = "waits"
		}
		t.add(cell{j.Stream, plain}, cell{j.Job, plain}, cell{ofText(j), plain}, shown, cell{j.Host, plain}, cell{ago(now, j.Since), plain}, cell{tries, plain}, cell{reason, plain})
	}
	return t
}

// ofText is what a job comes after.
func ofText(j stream.JobStatus) string {
	text := j.Of
	if j.OfHost != "" {
		text += "@" + j.OfHost
	}
	if j.Item != "" {
		text += " " + j.Item
	}
	return text
}

func jobsShow(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "show JOB", Short: "What a job is of, where its files are, what became of it and what can be done", Args: cobra.ExactArgs(1), ValidArgsFunction: g.completes(ofJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				j, err := findJob(ctx, s, args[0], true)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(os.Stdout, j)
				}
				now, err := s.Now(ctx)
				if err != nil {
					return err
				}
				printJob(j, now)
				return nil
			})
		},
	}
	g.outputFlag(c)
	return c
}

// printJob says of a job what somebody needs to know who sees one for the first time.
func printJob(j stream.JobStatus, now int64) {
	line := func(name, format string, args ...any) {
		fmt.Printf("%-9s %s\n", name, harmless(fmt.Sprintf(format, args...)))
	}
	line("job", "%s of stream %s", j.Job, j.Stream)
	if j.Item != "" {
		line("made", "%s ago, for what %s on %s wrote as finished: %s", ago(now, j.Born), j.Of, j.OfHost, j.Item)
	} else if j.State != stream.JobDone {
		line("made", "%s ago, as %s on %s had ended", ago(now, j.Born), j.Of, j.OfHost)
	} else {
		line("of", "%s on %s", j.Of, j.OfHost)
	}
	line("type", "%s", j.Type)
	switch {
	case j.State == stream.JobDone:
	case j.BoundTo != "":
		line("files", "on %s, the only host that may run it", j.BoundTo)
	default:
		line("files", "it may run on other hosts than %s", orElse(j.OfHost, "the one before"))
	}
	line("state", "%s", jobSentence(j, now))
	if j.Reason != "" {
		line("reason", "%s", j.Reason)
	}
	if j.Tries > 0 {
		line("tries", "%d", j.Tries)
	}
	if j.Exit != "" {
		line("exit", "%s", j.Exit)
	}
	for _, text := range j.Stderr {
		line("stderr", "%s", text)
	}
	names := make([]string, 0, len(j.Values))
	for name := range j.Values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line("value", "${%s} = %s", name, j.Values[name])
	}
	for _, do := range jobDo(j) {
		line("do", "%s", do)
	}
}

func jobSentence(j stream.JobStatus, now int64) string {
	since := ago(now, j.Since)
	switch j.State {
	case stream.JobDone:
		return fmt.Sprintf("done on %s %s ago with code %d; it took %s", j.Host, since, j.Code, lasted(j.Ended-j.Began))
	case stream.JobFailed:
		return fmt.Sprintf("failed on %s %s ago: it is not tried again by itself", orElse(j.Host, "no host"), since)
	case stream.Running:
		return fmt.Sprintf("runs on %s for %s", j.Host, since)
	case stream.Stopping:
		return fmt.Sprintf("is stopped on %s", j.Host)
	}
	return fmt.Sprintf("waits for %s", since)
}

// jobDo is what to type next.
func jobDo(j stream.JobStatus) []string {
	logs := fmt.Sprintf("stream-api logs %s %s", j.Stream, j.Job)
	switch j.State {
	case stream.JobDone:
		return []string{logs}
	case stream.JobFailed:
		return []string{logs, "stream-api jobs retry " + j.Job + "   when the cause is gone", "stream-api jobs rm " + j.Job + "   if it need not be done"}
	case stream.Running:
		return []string{logs + " -f"}
	}
	return []string{"stream-api jobs rm " + j.Job + "   if it need not be done"}
}

// findJob finds a job by its name, or by the first digits of its id.
func findJob(ctx context.Context, s *store.Store, name string, done bool) (stream.JobStatus, error) {
	all, err := listJobs(ctx, s, false, 0)
	if err == nil && done {
		var results []stream.JobStatus
		results, err = listJobs(ctx, s, true, maxDone)
		all = append(all, results...)
	}
	if err != nil {
		return stream.JobStatus{}, err
	}
	id := name[strings.IndexByte(name, '~')+1:]
	var found []stream.JobStatus
	known := make([]string, len(all))
	for i, j := range all {
		known[i] = j.Job
		_, digits, _ := strings.Cut(j.Job, "~")
		if j.Job == name || len(id) >= 3 && strings.HasPrefix(digits, id) && (id == name || strings.HasPrefix(j.Job, name)) {
			found = append(found, j)
		}
	}
	switch len(found) {
	case 0:
		return stream.JobStatus{}, unknown("job", name, known)
	case 1:
		return found[0], nil
	}
	return stream.JobStatus{}, usageError("%s may be %s or %s: write more digits", stream.Quote(name), found[0].Job, found[1].Job)
}

func jobsRetry(g *global) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "retry JOB…", Short: "Put jobs that have failed in line again, with all their tries", ValidArgsFunction: g.completes(ofFailedJobs),
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError("say which: JOB, or --all for all that have failed")
			}
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				list, err := chosenJobs(ctx, s, args)
				if err != nil {
					return err
				}
				for _, j := range list {
					if err := s.RetryJob(ctx, j.Stream, j.Job); err != nil {
						return err
					}
					say("%s of %s is in line again", j.Job, j.Stream)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all that have failed")
	return c
}

// chosenJobs are those of these names; of none all that have failed.
func chosenJobs(ctx context.Context, s *store.Store, names []string) ([]stream.JobStatus, error) {
	var out []stream.JobStatus
	for _, name := range names {
		j, err := findJob(ctx, s, name, false)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	if len(names) > 0 {
		return out, nil
	}
	out, err := listJobs(ctx, s, false, 0)
	return slices.DeleteFunc(out, func(j stream.JobStatus) bool { return j.State != stream.JobFailed }), err
}

func jobsRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm JOB…", Short: "Forget jobs; what runs is stopped. They are not made again", ValidArgsFunction: g.completes(ofJobs), Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.with(cmd, func(ctx context.Context, s *store.Store) error {
				list, err := chosenJobs(ctx, s, args)
				if err != nil {
					return err
				}
				for _, j := range list {
					if _, err := s.RemoveJob(ctx, j.Stream, j.Job, stream.Because(stream.CodeAsked)); err != nil {
						return err
					}
					say("%s of %s is forgotten", j.Job, j.Stream)
				}
				return nil
			})
		},
	}
}

func ofJobs(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	return jobNames(ctx, s, func(stream.JobStatus) bool { return true })
}

func ofFailedJobs(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	return jobNames(ctx, s, func(j stream.JobStatus) bool { return j.State == stream.JobFailed })
}

func jobNames(ctx context.Context, s *store.Store, which func(stream.JobStatus) bool) ([]string, error) {
	all, err := listJobs(ctx, s, false, 0)
	var names []string
	for _, j := range all {
		if which(j) {
			names = append(names, j.Job)
		}
	}
	return names, err
}

func ofJobStreams(ctx context.Context, s *store.Store, _ []string) ([]string, error) {
	all, err := listJobs(ctx, s, false, 0)
	var keys []string
	for _, j := range all {
		keys = append(keys, j.Stream)
	}
	slices.Sort(keys)
	return slices.Compact(keys), err
}
