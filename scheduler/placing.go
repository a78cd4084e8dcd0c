package scheduler

import (
	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// What the store knows, in the words of placement, and back.

func waitingSlot(c store.Circumstances) placement.Instance {
	if c.With != "" {
		c.Pin, c.Move = "", "" // it follows its target
	}
	return placement.Instance{
		Key: c.Key, Instance: c.Instance, Type: c.Type, Only: c.Only, Pin: c.Pin, Move: c.Move, Avoid: c.Avoid, Host: c.Host, Apart: c.Apart, Beside: c.Beside, Anyway: c.Anyway, Near: targetsOf(c), Spread: c.Spread, Siblings: c.Siblings, With: c.With, Target: c.Target, Needs: c.Needs, Published: c.Published,
		Follows: c.Follows, Reason: c.Reason, Exit: c.Exit,
	}
}

// servicesOf are the services of a type on all hosts, in the order of hosts.
func servicesOf(t string, hosts []store.HostRecord) []placement.Service {
	var out []placement.Service
	for _, h := range hosts {
		for _, v := range h.Services {
			if v.Type == t {
				out = append(out, placement.Service{
					Host: v.Host, Class: v.Class, Used: v.Used, Limit: v.Limit, State: v.State, HostState: h.State, Paused: v.Paused, Withdrawn: v.Withdrawn, Unwell: v.Check.Code == stream.CodeCheckFails, Reason: v.Reason,
					Pools: poolsOf(v, h),
				})
			}
		}
	}
	return out
}

// poolsOf are the pools of its host that a service uses, in the order of names.
func poolsOf(v store.ServiceRecord, h store.HostRecord) []placement.Pool {
	var out []placement.Pool
	for _, name := range v.Uses.Names() {
		out = append(out, placement.Pool{Name: name, Size: h.Pools[name], Taken: h.Taken[name], Needs: v.Uses[name]})
	}
	return out
}

// search is one pending instance's way through the store: requests in order until one
// of them is granted.
type search struct {
	instance store.Circumstances
	requests [][]placement.Candidate
	along    int // of these the first ask for room for its sidecars, too
}

func (a search) asks(closed []string) []store.Request {
	out := make([]store.Request, len(a.requests))
	for i, candidates := range a.requests {
		out[i] = store.Request{Key: a.instance.Key, Instance: a.instance.Instance, Type: a.instance.Type, Closed: closed, All: i < a.along, Candidates: make([]store.Candidate, len(candidates))}
		for k, c := range candidates {
			out[i].Candidates[k] = store.Candidate(c)
		}
	}
	return out
}

// outcome takes in the answers to its requests, and tells what became of the slot:
// the first answer that is not Full, or Full.
func (a search) outcome(answers []store.Placement, known *placement.Known) store.Placement {
	for i, answer := range answers {
		if answer.Outcome != store.Full {
			return answer
		}
		passed := make([]placement.Candidate, len(answer.Passed))
		for k, p := range answer.Passed {
			passed[k] = placement.Candidate{Class: p.Class, Host: p.Host}
		}
		known.Learn(a.requests[i], passed)
	}
	return store.Placement{Outcome: store.Full}
}
