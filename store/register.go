package store

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"stream-api/stream"
)

// Offer is what a host offers for one type.
type Offer struct {
	Type string
	// Capacity is how many slots it takes at once; nil: no limit.
	Capacity *int
	// Places is how many places it has, one for each slot, which no capacity set by hand can
	// exceed; 0: as many as there is capacity.
	Places int
	// Uses is what one slot takes of the host's pools.
	Uses stream.Amounts
	URL  string
	// Class is filter, preference and needs; the store adds the host's labels.
	Class stream.Class
	// Handover is how a slot leaves this host on a planned move; empty:
	// stream.StopFirst.
	Handover stream.Handover
}

// Registration is a host's word on itself.
type Registration struct {
	Holder
	// Replaces is the incarnation this one follows, empty for none known.
	Replaces string
	// HostID lies in the state directory, under its lock.
	HostID    string
	TTL, Beat time.Duration
	URL       string // of its web page, for logs across hosts
	Version   string
	// Lacks is what its file asks for and this host does not hold, such as limits
	// without cgroup v2; empty: nothing.
	Lacks string
	// Labels are what the file says of the host.
	Labels stream.Labels
	// Pools is what its services share, PoolJobs what jobs may hold of it.
	Pools, PoolJobs stream.Amounts
	Offers          []Offer
}

// Beat is the store's answer to a sign of life.
type Beat struct {
	Now   int64 // server milliseconds
	Rev   int64 // of what the host should run; another number: reconcile
	State stream.HostState
}

// TakenError refuses a second runner under one host name.
type TakenError struct {
	Host   string
	HostID string
	Left   time.Duration // until the other's lease ends
	Slots  int           // it holds
}

func (e *TakenError) Error() string {
	if e.Left <= 0 {
		return fmt.Sprintf("host %s belongs to another state directory (id %s) that still holds %d slots; a scheduler gives them away soon, then this one is accepted", e.Host, e.HostID, e.Slots)
	}
	return fmt.Sprintf("host %s is already run elsewhere, from a state directory with id %s, and its lease ends in %v; give this one another network.name or stop the other", e.Host, e.HostID, e.Left.Round(100*time.Millisecond))
}

// ChangedError says that the store remembers another predecessor of this host
// than the caller does, as after a failover; register again replacing that.
type ChangedError struct{ Incarnation string }

func (e *ChangedError) Error() string {
	return "the store remembers another incarnation: " + e.Incarnation
}

// Register begins or renews a life of a host. It frees nothing. Errors:
// *TakenError, *ChangedError, *LayoutError.
func (s *Store) Register(ctx context.Context, g Registration) (Beat, error) {
	args := []any{g.Host, g.Incarnation, g.Replaces, g.HostID, g.TTL.Milliseconds(), g.Beat.Milliseconds(), g.URL, g.Version,
		s.speaks.From, s.speaks.To, s.Layout(), g.Lacks, g.Labels.Encode(), g.Pools.Encode(), g.PoolJobs.Encode(), len(g.Offers)}
	for _, o := range g.Offers {
		capacity := ""
		if o.Capacity != nil {
			capacity = strconv.Itoa(*o.Capacity)
		}
		places := ""
		if o.Places > 0 {
			places = strconv.Itoa(o.Places)
		}
		args = append(args, o.Type, capacity, o.Class.Filter, o.URL, o.Class.Needs, o.Class.Prefer,
			string(cmp.Or(o.Handover, stream.StopFirst)), places, o.Uses.Encode())
	}
	r, err := s.call(ctx, "register", args...)
	if err != nil {
		return Beat{}, err
	}
	switch r.status() {
	case "ok":
		return Beat{Now: r.num(1), Rev: r.num(2), State: stream.HostState(r.str(3))}, nil
	case "taken":
		return Beat{}, &TakenError{Host: g.Host, HostID: r.str(1), Left: time.Duration(r.num(2)) * time.Millisecond, Slots: int(r.num(3))}
	case "layout":
		return Beat{}, s.foreign(r.str(1))
	case "changed":
		return Beat{}, &ChangedError{Incarnation: r.str(1)}
	}
	return Beat{}, r.unexpected("register")
}
