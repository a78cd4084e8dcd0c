package runners

import (
	"sync/atomic"
	"time"

	"stream-api/runners/supervisor"
)

// counts are what happened in this life.
type counts struct {
	starts, restarts, gaveUp, lost atomic.Int64
}

// Stats are figures for metrics.
type Stats struct {
	Host        string
	Incarnation string
	// LeaseAge is the time since the latest good beat was sent; negative:
	// none yet.
	LeaseAge time.Duration
	Held     map[Phase]int
	Starts   int64 // slots started
	Restarts int64 // children started again
	GaveUp   int64 // slots left to another host because they failed here
	Lost     int64 // slots ended here because another host has them
	// Queues is why the slot commands of this host cannot be read; nil while they
	// are, or if nobody asked yet.
	Queues error
}

// Stats reads the figures.
func (r *Runner) Stats() Stats {
	s := Stats{
		Host: r.o.Host, Incarnation: r.incarnation, LeaseAge: -1, Held: map[Phase]int{},
		Starts: r.counts.starts.Load(), Restarts: r.counts.restarts.Load(),
		GaveUp: r.counts.gaveUp.Load(), Lost: r.counts.lost.Load(),
	}
	if server := r.reads.Load(); server != nil {
		s.Queues = server.Err()
	}
	if age, ok := r.lease.age(supervisor.Now()); ok {
		s.LeaseAge = age
	}
	for _, h := range r.all() {
		s.Held[h.phaseNow()]++
	}
	return s
}
