package web

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"stream-api/problem"
	"stream-api/scheduler/placement"
	"stream-api/stream"
)

// picture is the store as last read, masked. Its values are replaced, never
// changed.
type picture struct {
	read    time.Time // zero: never
	at      int64     // store's ms
	sure    bool      // its parts were read after its streams
	streams map[string]seen
	parts   parts
	raw     map[string]json.RawMessage // encoded parts, to compare
	// whole encodes it when first asked for, once for all who join.
	whole func() frame
}

// seen is a stream with its encoded form.
type seen struct {
	status stream.StreamStatus
	raw    json.RawMessage
}

// parts is all of the picture but its streams.
type parts struct {
	Hosts   []hostView            `json:"hosts"`
	Sources []stream.SourceStatus `json:"sources"`
	Hold    *stream.HoldStatus    `json:"hold"`
	// Refused are hosts that Redis refuses something, this process among them.
	Refused []stream.RefusedStatus `json:"refused"`
	// Troubles are what hosts lack.
	Troubles []stream.TroubleStatus `json:"troubles"`
	Headroom Headroom               `json:"headroom"`
	Missing  []problem.Missing      `json:"missing"`
	// Problems are what needs somebody, alike things together; More are not listed.
	Problems []problem.Problem `json:"problems"`
	More     int               `json:"more"`
	// Fragile are instances that run and would find no place again.
	Fragile []stream.FragileStatus `json:"fragile"`
	Jobs    *stream.JobsStatus     `json:"jobs"`
	Aside   []stream.OddKey        `json:"aside"`
	Demo    *DemoState             `json:"demo"`
}

// maxProblems is how many are listed.
const maxProblems = 10

// hostView is a host with the end of its lease in the store's time, which
// stays the same while nothing happens; the rest of it does not.
type hostView struct {
	stream.HostStatus
	LeaseEnd int64 `json:"lease_end"`
}

// assemble masks an overview and adds what is computed from the whole.
func (b *board) assemble(streams map[string]seen, over *stream.Status) parts {
	stream.Show(over)
	for _, key := range slices.Sorted(maps.Keys(streams)) {
		over.Streams = append(over.Streams, streams[key].status)
	}
	over.Fragile = placement.Fragile(*over)
	p := parts{
		Hosts: make([]hostView, 0, len(over.Hosts)), Sources: over.Sources, Hold: over.Hold, Refused: b.refused(over.Refused),
		Troubles: slices.Concat([]stream.TroubleStatus{}, over.Troubles),
		Headroom: headroom(*over, b.matches), Missing: problem.MissingOf(*over), Jobs: over.Jobs, Aside: over.Aside,
		Fragile: append([]stream.FragileStatus{}, over.Fragile...),
	}
	whole := *over
	whole.Refused = p.Refused
	p.Problems, p.More = problem.Together(problem.Of(whole, b.lost.list(over.At)), maxProblems)
	for _, h := range over.Hosts {
		view := hostView{HostStatus: h}
		if h.LeaseMS != 0 {
			view.LeaseEnd = over.At + h.LeaseMS
		}
		view.LeaseMS = 0
		p.Hosts = append(p.Hosts, view)
	}
	if b.demo != nil {
		state := b.demo.State()
		p.Demo = &state
	}
	return p
}

// refused is what hosts said in the store and what this process knows of itself,
// which it may not have been able to say there.
func (b *board) refused(told []stream.RefusedStatus) []stream.RefusedStatus {
	out := b.own()
	for _, v := range told {
		if !slices.ContainsFunc(out, func(o stream.RefusedStatus) bool { return o.Host == v.Host }) {
			out = append(out, v)
		}
	}
	return slices.Concat([]stream.RefusedStatus{}, out)
}

// status is the picture in the form of the contract.
func (p picture) status() stream.Status {
	out := stream.Status{At: p.at, Hold: p.parts.Hold, Refused: p.parts.Refused, Troubles: p.parts.Troubles, Streams: []stream.StreamStatus{}, Hosts: []stream.HostStatus{}, Sources: p.parts.Sources, Fragile: p.parts.Fragile, Jobs: p.parts.Jobs, Aside: p.parts.Aside}
	for _, key := range slices.Sorted(maps.Keys(p.streams)) {
		out.Streams = append(out.Streams, p.streams[key].status)
	}
	for _, h := range p.parts.Hosts {
		v := h.HostStatus
		if h.LeaseEnd != 0 {
			v.LeaseMS = h.LeaseEnd - p.at
		}
		out.Hosts = append(out.Hosts, v)
	}
	return out
}
