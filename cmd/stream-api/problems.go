package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"stream-api/problem"
	"stream-api/store"
	"stream-api/stream"
)

// showProblems prints what needs somebody now, and with follow what begins and ends.
func showProblems(ctx context.Context, s *store.Store, follow bool, lasts time.Duration, print func(problem.Change) error) error {
	watch := &watcher{store: s}
	status, err := watch.read(ctx)
	if err != nil {
		return err
	}
	found := problem.Of(status, watch.lost.List(status.At))
	tracker := &problem.Tracker{For: lasts}
	if err := printAll(tracker.See(status.At, found), print); err != nil || !follow {
		return err
	}
	hints := s.Hints(ctx)
	ahead := status.At - time.Now().UnixMilli() // of the store's clock
	for pauseFor(ctx, hints, 200*time.Millisecond, time.Second) {
		now, next := time.Now().UnixMilli()+ahead, found
		status, err := watch.read(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			// What there was may be there still.
			next = append(next[:len(next):len(next)], problem.Problem{ID: "store", Level: stream.Bad, What: "The store does not answer", Why: stream.Shown(store.Explain(err))})
		default:
			ahead = status.At - time.Now().UnixMilli()
			now = status.At
			found = problem.Of(status, watch.lost.List(now))
			next = found
		}
		if err := printAll(tracker.See(now, next), print); err != nil {
			return err
		}
	}
	return nil
}

func printAll(changes []problem.Change, print func(problem.Change) error) error {
	for _, c := range changes {
		if err := print(c); err != nil {
			return err
		}
	}
	return nil
}

func printProblem(c problem.Change) error {
	at, more := time.UnixMilli(c.At).Format("15:04:05.000"), ""
	switch {
	case c.Event == problem.Ends:
		more = fmt.Sprintf("  (after %v)", time.Duration(c.Seconds*float64(time.Second)).Round(time.Second))
	case c.Since > 0:
		more = "  (for " + ago(c.At, c.Since) + ")"
	}
	_, err := fmt.Printf("%s  %-6s %-4s  %s: %s%s\n", at, c.Event, c.Level, harmless(c.What), harmless(c.Why), more)
	return err
}

// printProblemJSON prints one object a line.
func printProblemJSON(c problem.Change) error { return printJSONLine(os.Stdout, c) }
