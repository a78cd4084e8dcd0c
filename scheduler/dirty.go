package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"stream-api/queue"
	"stream-api/store"
)

// reconcileBatch is how many marked streams one round reconciles.
const reconcileBatch = 200

// brokenPause is how long a stream whose keys are broken is let alone.
const brokenPause = 10 * time.Second

// reconcileTries is how often one round reconciles a stream that is marked again
// meanwhile, before it leaves it to the next round.
const reconcileTries = 3

// reconcile is the loop over marked streams: it makes each what is declared of it.
func (s *Scheduler) reconcile(ctx context.Context) (time.Duration, error) {
	tries, done := map[string]int{}, 0
	for {
		marks, err := s.store.Dirty(ctx, reconcileBatch+done)
		if err != nil {
			return 0, err
		}
		marks = slices.DeleteFunc(marks, func(m store.Mark) bool { return tries[m.Key] >= reconcileTries })
		if len(marks) == 0 {
			return 0, nil
		}
		if err := s.reconcileMarked(ctx, marks, tries); err != nil {
			return 0, err
		}
		done = 0
		for _, n := range tries {
			if n >= reconcileTries {
				done++
			}
		}
	}
}

// reconcileMarked reconciles some marked streams. tries counts how often a mark stayed:
// one whose keys are broken is not tried again in this round.
func (s *Scheduler) reconcileMarked(ctx context.Context, marks []store.Mark, tries map[string]int) error {
	keys := make([]string, len(marks))
	for i, m := range marks {
		keys[i] = m.Key
	}
	declared, err := s.store.DeclaredOf(ctx, keys)
	if err != nil {
		return err
	}
	wants, again := make([]store.Want, len(marks)), map[string]int64{}
	for i, m := range marks {
		before, err := s.recordIfUnreadable(ctx, declared[i])
		if err != nil {
			return err
		}
		var at int64
		if wants[i], at = decideWant(m, declared[i], before, s.o.Hysteresis); at != 0 {
			again[m.Key] = at
		}
	}
	if err := s.wantEach(ctx, wants); err != nil {
		return err
	}
	// Before the marks are cleared, so that a scheduler that dies in between
	// reconciles once too often and never once too little.
	if err := s.store.RequeueAt(ctx, again); err != nil {
		return err
	}
	if len(again) > 0 {
		s.requeues.ring()
	}
	answers, err := s.store.Wants(ctx, wants)
	if err != nil {
		return err
	}
	for i, a := range answers {
		switch {
		case a.Err != nil:
			tries[marks[i].Key] = reconcileTries
			s.brokenStream(marks[i].Key, a.Err)
		case a.Stale:
			tries[marks[i].Key]++
		default:
			s.counts.wanted.Add(1)
			s.near.learnAll(wants[i].Chain, wants[i].Items)
			for _, slot := range wants[i].Chain {
				s.touched.add(wants[i].Items.Type(slot))
			}
			s.tellLater(queue.Stop, a.Stops)
			s.tellLater(queue.Update, a.Updates)
			for _, p := range a.Parts {
				if err := skippable(s.part(ctx, p)); err != nil {
					return err
				}
			}
		}
	}
	s.places.ring()
	return nil
}

// wantEach says which hosts are to have the slots of which each host has one. The hosts are
// read after the marks: who marks a stream because of a host that came later has these
// wants stale.
func (s *Scheduler) wantEach(ctx context.Context, wants []store.Want) error {
	var types []string
	for _, w := range wants {
		types = append(types, eachTypes(w.Items)...)
		s.each.note(w.Key, w.Items)
	}
	slices.Sort(types)
	v, err := s.offering(ctx, slices.Compact(types))
	if err != nil {
		return err
	}
	for i := range wants {
		v.fill(&wants[i])
	}
	return nil
}

// recordIfUnreadable reads the record of a stream of which nothing reads.
func (s *Scheduler) recordIfUnreadable(ctx context.Context, v store.Declared) (*store.Record, error) {
	if len(v.Problems) == 0 || len(v.BySource) > 0 {
		return nil, nil
	}
	r, err := s.store.Record(ctx, v.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func (s *Scheduler) brokenStream(key string, err error) {
	if s.talk.once("stream "+key, brokenPause) {
		s.log.Warn().Err(err).Str("stream", key).Msg("the stream's keys were edited into something else; delete them, and they are made anew")
	}
}

// requeueDue marks streams whose time to be reconciled has come, and those of
// sources that became unknown or good.
func (s *Scheduler) requeueDue(ctx context.Context) (time.Duration, error) {
	for {
		n, err := s.store.RequeueDue(ctx, reconcileBatch)
		if err != nil {
			return 0, err
		}
		if n < reconcileBatch {
			break
		}
	}
	marked, err := s.store.WatchSources(ctx)
	if marked > 0 {
		s.wants.ring()
	}
	return 0, err
}
