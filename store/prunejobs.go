package store

import (
	"context"
	"time"
)

const (
	// JobsMade is for how long the ids of jobs are remembered, so that to tell an end again
	// makes none: twice as long as hosts keep what they tell.
	JobsMade = 14 * 24 * time.Hour
	// JobsDone and MaxJobsDone are for how long, and how many, results are kept.
	JobsDone    = 7 * 24 * time.Hour
	MaxJobsDone = 10_000
)

// PruneJobs forgets old results and ids of jobs.
func (s *Store) PruneJobs(ctx context.Context) error {
	const budget = 1000 // some 2 ms of the server's time
	for {
		r, err := s.call(ctx, "prunejobs", JobsMade.Milliseconds(), JobsDone.Milliseconds(), MaxJobsDone, budget)
		if err != nil {
			return err
		}
		if r.status() != "ok" {
			return r.unexpected("prunejobs")
		}
		if r.num(2) != 1 {
			return nil
		}
	}
}
