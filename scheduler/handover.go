package scheduler

import (
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// step is what comes next in a planned move.
type step int

const (
	wait     step = iota
	evict         // have the holder stop it, so that it is placed elsewhere
	succeed       // put a successor in line beside it
	takeOver      // the successor is ready
	finish        // it runs elsewhere
	giveUp        // with a reason
)

// drainPatience is how long a drain waits for a place for one slot before it
// tries another slot; it comes back to it.
const drainPatience = 5 * time.Second

// progress is all that decides the next step of a move.
type progress struct {
	move     store.Move
	instance store.InstanceRecord // zero: gone
	next     store.InstanceRecord // its successor; zero: none
	// handover of the service that holds the slot.
	handover stream.Handover
	// draining: the host it leaves is (still) to be emptied.
	draining bool
	// required are the variables that others of the chain wait for.
	required []string
	now      int64 // server ms
	grace    time.Duration
}

// nextStep decides it; why is the reason of giveUp.
func nextStep(p progress) (next step, why stream.Reason) {
	if p.instance.State == "" || p.instance.State == stream.Stopping {
		return giveUp, stream.Because(stream.CodeEnded)
	}
	if p.instance.Token != p.move.Token {
		return p.elsewhere()
	}
	switch {
	case p.instance.Move != "":
		return wait, stream.Reason{} // its holder was asked to stop it
	case p.move.Drain && !p.draining:
		return giveUp, stream.Because(stream.CodeDrainOff)
	}
	switch p.next.State {
	case stream.Running:
		if p.ready() {
			return takeOver, stream.Reason{}
		}
		return p.untilDeadline(stream.Because(stream.CodeSuccessorLate, "host", p.next.Host))
	case stream.Assigned:
		return p.untilDeadline(stream.Because(stream.CodeSuccessorIdle, "host", p.next.Host))
	case stream.Pending:
		if p.move.Drain && p.since() > drainPatience {
			return giveUp, p.noRoom()
		}
		return p.untilDeadline(p.noRoom())
	}
	if p.overdue() {
		return giveUp, p.noRoom()
	}
	if p.handover == stream.StartFirst {
		return succeed, stream.Reason{}
	}
	return evict, stream.Reason{}
}

// elsewhere is the next step once the slot is no longer held as it was: the
// holder gave it back or died. One of a drain is
// done only when the child is up: the next is stopped on the strength of it.
func (p progress) elsewhere() (step, stream.Reason) {
	switch {
	case p.instance.State != stream.Running:
		return p.untilDeadline(stream.Because(stream.CodeNotTaken))
	case p.move.Drain && !p.up(p.instance):
		return p.untilDeadline(stream.Because(stream.CodeNotUpThere, "host", p.instance.Host))
	}
	return finish, stream.Reason{}
}

func (p progress) untilDeadline(why stream.Reason) (step, stream.Reason) {
	if p.overdue() {
		return giveUp, why
	}
	return wait, stream.Reason{}
}

func (p progress) overdue() bool { return p.move.Deadline != 0 && p.now >= p.move.Deadline }

func (p progress) since() time.Duration {
	return time.Duration(p.now-p.move.Since) * time.Millisecond
}

func (p progress) noRoom() stream.Reason {
	if !p.next.Reason.IsZero() {
		return p.next.Reason
	}
	if p.move.Target != "*" {
		return stream.Because(stream.CodeNoRoom, "host", p.move.Target)
	}
	return stream.Because(stream.CodeNoRoom)
}

// ready tells that the successor does what the slot did: its child is up, and
// it publishes what others wait for.
func (p progress) ready() bool {
	for _, name := range p.required {
		_, published := p.instance.Vars[name]
		if _, here := p.next.Vars[name]; published && !here {
			return false
		}
	}
	return p.up(p.next)
}

// up tells whether a child runs: its holder says so, or started it a while ago
// and saw no end of it.
func (p progress) up(v store.InstanceRecord) bool {
	if v.Phase != stream.Runs {
		return false
	}
	ran := time.Duration(p.now-v.Since) * time.Millisecond
	return v.Up || v.Exit == "" && ran >= p.grace
}
