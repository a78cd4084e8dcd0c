package placement

import "stream-api/stream"

// Instance is what is known of an instance of a slot that waits.
type Instance struct {
	Key, Instance, Type string
	// Follows is the running instance whose place it is to take; empty: none.
	Follows string
	// Only is the one host whose it is; empty: no host has one by itself.
	Only string
	// Pin is the one host an operator allows; empty: any.
	Pin string
	// Move is the host it was asked to move to, "*" for any other.
	Move string
	// Avoid are the hosts it is kept off for a while.
	Avoid map[string]int64
	// Host is which hosts its item means.
	Host stream.Selector
	// Apart is what it may not share with other copies of its slot; empty: it may
	// share all. Beside are the hosts of those, each with its instance, where a
	// reason is asked for.
	Apart  string
	Beside map[string]string
	// Anyway is the host that an operator lets it share with other copies all the same; empty: none.
	Anyway string
	// Near is what its item wishes it to be near, as far as there is such a place.
	Near []Target
	// Spread is the label over whose values its item wishes copies to be spread, and
	// Siblings how many other copies are where it has a value.
	Spread   string
	Siblings map[string]int
	// With is the slot whose sidecar it is, empty: of none; Target the host where that one
	// is, where a reason is asked for, empty: on none.
	With, Target string
	// Needs are the variables of other slots that it waits for on account of its item,
	// whatever service is to take it.
	Needs []stream.Need
	// Published says of these, and of the variables that services of its type need,
	// whether some holder of that slot ever published them.
	Published map[stream.Need]bool
	// Reason is what was said of it last, Exit the last end of its child.
	Reason stream.Reason
	Exit   string
}

// successor tells whether it stands in line beside the running slot that it is to
// replace.
func (s Instance) successor() bool { return s.Follows != "" }

// Class is one class of services, ready to be asked.
type Class struct {
	ID   string
	Rule *stream.Rule // nil: the class is nonsense, its services take nothing
}

// Candidate is a class that may take a slot, or one host of it; of those of a rank the
// least loaded takes it, of a later rank none while one of an earlier has room.
type Candidate struct {
	Rank  int
	Class string
	Host  string // empty: any of the class
}

// Service is one service of a type, as a look at the hosts found it.
type Service struct {
	Host, Class string
	Used, Limit int // Limit: -1 for none
	State       stream.HostState
	HostState   stream.HostState
	Paused      bool          // an operator paused its queue
	Withdrawn   bool          // its host offers it no more
	Unwell      bool          // its check fails
	Pools       []Pool        // of its host, those that it uses
	Reason      stream.Reason // why it takes nothing though it is up
}

// Pool is what a host's pool has, what its slots take of it, and what one slot of the
// service would.
type Pool struct {
	Name               string
	Size, Taken, Needs stream.Amount
}

func (p Pool) left() stream.Amount { return max(0, p.Size-p.Taken) }

// full tells whether it takes no more, whatever its pools have.
func (v Service) full() bool { return v.Limit >= 0 && v.Used >= v.Limit }

// short is the first pool that has no room for one slot more.
func (v Service) short() (Pool, bool) {
	for _, p := range v.Pools {
		if p.Needs > 0 && p.Needs > p.left() {
			return p, true
		}
	}
	return Pool{}, false
}
