package placement

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// Target is what a slot wishes to be near: a slot of its stream, by the host of who
// leads that, or the stream's source, which has labels and no host.
type Target struct {
	Name   string
	Host   string // empty: none
	Labels stream.Labels
}

// nearness is how far a host of those labels is from each target, in the order in which
// these are written. No host: any of those with the labels.
func (s Instance) nearness(host string, labels stream.Labels) []int {
	out := make([]int, len(s.Near))
	for i, t := range s.Near {
		out[i] = int(stream.Between(host, labels, t.Host, t.Labels))
	}
	return out
}

// beside are the hosts of its targets that have just these labels.
func (s Instance) beside(labels stream.Labels) (hosts []string) {
	for _, t := range s.Near {
		if t.Host != "" && !slices.Contains(hosts, t.Host) && maps.Equal(t.Labels, labels) {
			hosts = append(hosts, t.Host)
		}
	}
	return hosts
}
