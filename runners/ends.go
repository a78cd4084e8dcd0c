package runners

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// An end after which jobs come is written down before its release is sent, and kept for a
// week. It is told again whenever the store turns out to know nothing of those jobs: one
// that was emptied or set back, and one that took the slot away before it heard of the end.

// writeEnd writes the end down; false when ctx is over before.
func (h *holding) writeEnd(ctx context.Context) bool {
	end, due := h.end()
	if !due {
		return true
	}
	for told := false; ; told = true {
		err := h.r.ends.Write(end, time.Now())
		if err == nil {
			h.releasing.told = true
			if slices.ContainsFunc(end.Untold, func(line string) bool { return !h.items.told[line] }) {
				h.r.untold.Store(h.token, true)
			}
			return true
		}
		if !told {
			h.logger().Error().Err(err).Msg("the slot cannot be released before its end is written, as a job comes after it; it is tried again")
		}
		if !h.pause(ctx, time.Second) {
			return false
		}
	}
}

// end is what a store that forgot this token has to be told; due: there is a job that
// comes after it, or that is done by it.
func (h *holding) end() (end store.End, due bool) {
	w := h.wished()
	h.mu.Lock()
	end = store.End{Reservation: h.res, Copy: h.memo.Copy, Reason: w.reason, Began: h.memo.Started, Ended: time.Now()}
	h.mu.Unlock()
	end.Announcement = "" // is of no use to who comes after
	if h.job.is {
		end.Done = h.doneHere()
		return end, end.Done != nil
	}
	slot := stream.SlotOf(end.Instance)
	jobs, ofItems := end.Items.JobsOf(slot), itemJobs(end.Items, slot)
	if len(jobs) == 0 || !h.ran() {
		return end, false
	}
	if len(ofItems) > 0 {
		h.readItems()
		end.Untold = h.items.lines
	}
	return end, len(jobs) > len(ofItems) || len(end.Untold) > 0
}

// tellSoon asks for the ends to be compared with what the store knows of them.
func (r *Runner) tellSoon() { poke(r.tellNow) }

// tellEnds compares them whenever it is asked to: after each registration, and when a
// release was not taken.
func (r *Runner) tellEnds(ctx context.Context) {
	for {
		select {
		case <-r.tellNow:
		case <-ctx.Done():
			return
		}
		if err := r.tellUnknown(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug().Err(err).Msg("the store is not told yet of all ends after which jobs come")
			time.AfterFunc(r.o.Beat, r.tellSoon)
		}
	}
}

// manyEnds is how many are compared in one call, manyUntold how many items are told in one.
const (
	manyEnds   = 200
	manyUntold = 50
)

// tellUnknown tells the store of those ends of which it made no jobs, and of those whose
// release it did not take. That a job is done it is told first: then nothing makes it anew.
func (r *Runner) tellUnknown(ctx context.Context) error {
	ends, err := r.ends.All()
	if err != nil {
		return err
	}
	done := func(end store.End) int { return map[bool]int{true: 0, false: 1}[end.Done != nil] }
	slices.SortStableFunc(ends, func(a, b store.End) int { return cmp.Compare(done(a), done(b)) })
	var errs []error
	for some := range slices.Chunk(ends, manyEnds) {
		unknown, err := r.unknown(ctx, some)
		if err != nil {
			return err
		}
		for _, end := range unknown {
			err := r.call(ctx, func(ctx context.Context) error { return r.store.TellEnded(ctx, r.o.Host, r.incarnation, end) })
			if err == nil {
				r.untold.Delete(end.Token)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// unknown are those that the store is to be told, each with the items that it does not know.
func (r *Runner) unknown(ctx context.Context, ends []store.End) ([]store.End, error) {
	var after []following
	for i, end := range ends {
		if r.find(end.Token) == nil { // what is held is about to be released
			after = append(after, r.comesAfter(i, end)...)
		}
	}
	jobs := make([]stream.Instance, len(after))
	for i, f := range after {
		jobs[i] = f.job
	}
	tell, items := map[int]bool{}, map[int][]string{}
	for at := 0; at < len(jobs); at += manyEnds {
		some := jobs[at:min(at+manyEnds, len(jobs))]
		var unmade []bool
		err := r.call(ctx, func(ctx context.Context) (err error) {
			unmade, err = r.store.Unmade(ctx, some)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, is := range unmade {
			f := after[at+i]
			tell[f.end] = tell[f.end] || is
			if is && f.item != "" && !slices.Contains(items[f.end], f.item) {
				items[f.end] = append(items[f.end], f.item)
			}
		}
	}
	var out []store.End
	for i, end := range ends {
		if _, refused := r.untold.Load(end.Token); !refused && !tell[i] {
			continue
		}
		end.Untold = nil
		for some := range slices.Chunk(items[i], manyUntold) {
			part := end
			part.Untold = some
			out = append(out, part)
		}
		if len(items[i]) == 0 {
			out = append(out, end)
		}
	}
	return out, nil
}

// following is a job that the store has to have made if it knows of an end.
type following struct {
	end  int
	job  stream.Instance
	item string
}

// comesAfter are those of an end, without those that are done here. What is done is one
// itself.
func (r *Runner) comesAfter(i int, end store.End) (out []following) {
	of := end.Token
	add := func(name, item string) {
		job := stream.JobInstance(name, of, item)
		if _, done := r.ends.Done(end.Key, job.String()); !done {
			out = append(out, following{i, job, item})
		}
	}
	if end.Done != nil {
		of = end.Instance
		if job, err := stream.ParseInstance(end.Instance); err == nil {
			out = append(out, following{end: i, job: job})
		}
	}
	for _, name := range end.Items.JobsOf(stream.SlotOf(end.Instance)) {
		if end.Items[name].Each == "" {
			add(name, "")
			continue
		}
		for _, item := range end.Untold {
			add(name, item)
		}
	}
	return out
}
