package render

import (
	"context"
	"time"
)

// The rhythm of a follower.
const (
	// idle is how long it waits without a hint: one may be lost.
	idle = 5 * time.Second
	// againMost is the longest pause before a command that failed is tried again.
	againMost = 30 * time.Second
)

// follower is what Follow remembers.
type follower struct {
	*Job
	kept   string // why the file is kept as it is; said once
	failed string // how the command failed last
	pause  time.Duration
	retry  time.Time // when the command is tried again; zero: it has not failed
}

// Follow keeps the file up to date until ctx ends. It returns an error only if the template is none from the start.
func (j *Job) Follow(ctx context.Context) error {
	if _, err := j.load(); err != nil {
		return err
	}
	f := follower{Job: j}
	for ctx.Err() == nil {
		f.wait(ctx, f.round(ctx))
	}
	return nil
}

// round brings the file up to date, has the command run if it is due, and gives when the next round may begin: Settle
// after this one, and after its command was started.
func (f *follower) round(ctx context.Context) time.Time {
	changed, err := f.write(ctx)
	if ctx.Err() != nil {
		return time.Now()
	}
	f.keeps(err)
	if changed {
		f.Say("%s is written anew", f.Output)
		f.retry, f.pause = time.Time{}, 0
	}
	began := time.Now()
	if f.retry.After(began) {
		return began.Add(f.Settle)
	}
	err = f.tell(ctx)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		if f.failed != "" {
			f.Say("the command succeeded")
		}
		f.failed, f.retry, f.pause = "", time.Time{}, 0
	default:
		f.pause = min(max(2*f.pause, f.Settle, time.Second), againMost)
		f.retry = began.Add(f.pause)
		f.failed = err.Error()
		f.Say("%v; again in %v", err, f.pause)
	}
	return began.Add(f.Settle)
}

// keeps says why the file is kept as it is, when that begins, changes or is over.
func (f *follower) keeps(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	switch {
	case why == f.kept:
	case why == "":
		f.Say("%s is kept up to date again", f.Output)
	default:
		f.Say("%s; %s stays as it is", why, f.Output)
	}
	f.kept = why
}

// wait waits for a hint, or for as long as hints may be missing, but at least until next.
func (f *follower) wait(ctx context.Context, next time.Time) {
	late := time.Now().Add(idle)
	if !f.retry.IsZero() && f.retry.Before(late) {
		late = f.retry
	}
	if late.Before(next) {
		late = next
	}
	least, most := time.NewTimer(time.Until(next)), time.NewTimer(time.Until(late))
	defer least.Stop()
	defer most.Stop()
	select {
	case <-ctx.Done():
		return
	case <-least.C:
	}
	select {
	case <-ctx.Done():
	case <-most.C:
	case <-f.Source.Hints():
	}
}
