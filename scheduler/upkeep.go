package scheduler

import (
	"context"
	"errors"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// leasesSeen is after how many periods a scheduler whose turn it was not reads
// all hosts, for the longest lease among them.
const leasesSeen = 6

// upkeep makes what is derived agree with what it is derived from: edits by
// hand take effect, what is lost is made anew, queues paused in asynqmon cordon their services, and what
// nobody has any more is forgotten. One scheduler in a period does it.
func (s *Scheduler) upkeep(ctx context.Context) (time.Duration, error) {
	mine, err := s.store.Turn(ctx, "upkeep", s.o.ID, s.o.Upkeep*9/10)
	if err != nil {
		return 0, err
	}
	if !mine && time.Since(s.hostsSeen) < leasesSeen*s.o.Upkeep {
		return 0, nil
	}
	hosts, err := s.store.Hosts(ctx)
	if err != nil {
		return 0, err
	}
	s.hostsSeen = time.Now()
	for _, h := range hosts {
		s.leases.see(h.TTL, h.Beat)
	}
	if !mine {
		return 0, nil
	}
	if n, err := s.store.PutAside(ctx); err != nil {
		return 0, err
	} else if n > 0 {
		s.log.Warn().Int("keys", n).Msg("keys that were made another type are set aside; see the events")
		if hosts, err = s.store.Hosts(ctx); err != nil {
			return 0, err
		}
	}
	queues, err := s.cmd.PausedQueues(ctx)
	if err != nil {
		return 0, err
	}
	paused := make(map[string]map[string]bool, len(hosts))
	for _, h := range hosts {
		paused[h.Host] = map[string]bool{}
	}
	for _, q := range queues {
		if paused[q.Host] != nil {
			paused[q.Host][q.Type] = true
		}
	}
	mended, refused, err := s.mend(ctx, hosts, paused)
	if err != nil {
		return 0, err
	}
	for host, err := range refused {
		if s.talk.once("host "+host, time.Hour) {
			s.log.Warn().Err(err).Str("host", host).Msg("what is derived of this host is not mended")
		}
	}
	if mended > 0 {
		s.log.Info().Int("mended", mended).Msg("derived figures were mended; see the events")
		s.places.ring()
	}
	if err := s.prune(ctx); err != nil {
		return 0, err
	}
	return 0, s.raise(ctx)
}

// raise puts a later layout in force that this program speaks, once all who live
// speak it. Who does not is named once an hour.
func (s *Scheduler) raise(ctx context.Context) error {
	if s.store.Layout() >= s.store.Speaks().To {
		return nil
	}
	raised, err := s.store.Raise(ctx)
	var not *store.NotRaisedError
	switch {
	case errors.As(err, &not):
		if s.talk.once("layout", time.Hour) {
			s.log.Warn().Msg(not.Error())
		}
		return nil
	case store.IsHold(err):
		return nil // who lives is not known now
	case raised:
		s.log.Info().Int("layout", s.store.Layout()).Msg("all who live speak a later layout; it is in force")
	}
	return err
}

// mendPace is how many records one upkeep looks at, but for when rows are lost.
const mendPace = 3000

// mend makes the indexes agree with the records, first those of slots, then those
// of hosts: what a host uses is lowered only by what all records say.
func (s *Scheduler) mend(ctx context.Context, hosts []store.HostRecord, paused map[string]map[string]bool) (int, map[string]error, error) {
	ttl, _ := s.leases.get()
	m, err := s.mender.Some(ctx, mendPace, ttl)
	if err != nil {
		return 0, nil, err
	}
	r, err := s.store.ReindexHosts(ctx, hosts, paused, m.Held)
	if err != nil || r.Short == 0 {
		return m.Corrections + r.Mended, r.Refused, err
	}
	// Read again: mending gave some of them more.
	if hosts, err = s.store.Hosts(ctx); err != nil {
		return 0, nil, err
	}
	if m, err = s.mender.All(ctx, ttl); err != nil {
		return 0, nil, err
	}
	again, err := s.store.ReindexHosts(ctx, hosts, paused, m.Held)
	return m.Corrections + r.Mended + again.Mended, again.Refused, err
}

// prune forgets hosts that are gone for long, with their queues, classes
// that no service has, and what jobs did long ago.
func (s *Scheduler) prune(ctx context.Context) error {
	if err := s.store.PruneJobs(ctx); err != nil {
		return err
	}
	hosts, err := s.store.Hosts(ctx)
	if err != nil {
		return err
	}
	used := map[string]map[string]bool{}
	for _, h := range hosts {
		if h.State == stream.Down {
			gone, err := s.forget(ctx, h)
			if err != nil {
				return err
			}
			if gone {
				s.log.Info().Str("host", h.Host).Msg("host forgotten: it was down for long and holds nothing")
				for _, v := range h.Services {
					if err := s.cmd.Remove(ctx, v.Type, h.Host); err != nil {
						s.log.Warn().Err(err).Str("host", h.Host).Str("type", v.Type).Msg("its queue stays; remove it in asynqmon")
					}
				}
				continue
			}
		}
		for _, v := range h.Services {
			if used[v.Type] == nil {
				used[v.Type] = map[string]bool{}
			}
			used[v.Type][v.Class] = true
		}
	}
	types, err := s.store.Types(ctx)
	if err != nil {
		return err
	}
	for _, t := range types {
		if err := s.store.PruneClasses(ctx, t, used[t]); err != nil {
			return err
		}
	}
	return nil
}

// forget forgets a host that is down for long, unless jobs wait for its files: then an operator
// says what becomes of these, or it comes back.
func (s *Scheduler) forget(ctx context.Context, h store.HostRecord) (bool, error) {
	now, err := s.store.Now(ctx)
	if err != nil || now-h.Since < s.o.ForgetAfter.Milliseconds() {
		return false, err
	}
	if bound, err := s.store.JobsBoundTo(ctx, h.Host); err != nil || len(bound) > 0 {
		return false, err
	}
	return s.store.Forget(ctx, h.Host, s.o.ForgetAfter)
}
