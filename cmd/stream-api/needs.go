package main

import (
	"fmt"
	"io"
	"strings"

	"stream-api/problem"
	"stream-api/stream"
)

const (
	// maxNeeds is how many lines the head of a status has.
	maxNeeds = 10
	// young is how old what began by itself has to be to stand there, store's ms: what is
	// on its way needs nobody.
	young = 2000
)

// printNeeds prints what needs somebody, the worst first, if anything does. What is on hold
// or refused, and what hosts lack, stands above it.
func printNeeds(w io.Writer, status stream.Status, colours bool) error {
	var found []problem.Problem
	for _, p := range problem.Of(stream.Status{Hosts: status.Hosts, Sources: status.Sources, Streams: status.Streams, Fragile: status.Fragile, Aside: status.Aside}, nil) {
		if p.Since == 0 || status.At-p.Since >= young {
			found = append(found, p)
		}
	}
	together, more := problem.Together(found, maxNeeds)
	if len(together) == 0 {
		return nil
	}
	t := &table{head: []string{"NEEDS SOMEBODY"}}
	if counts := conditions(found); counts != "" {
		t.head[0] += ": " + counts
	}
	for _, p := range together {
		c := yellow
		if p.Level == stream.Bad {
			c = red
		}
		text := fmt.Sprintf("%-4s  %s: %s", p.Level, p.What, p.Why)
		if p.Since > 0 {
			text += " (for " + ago(status.At, p.Since) + ")"
		}
		t.add(cell{text, c})
	}
	if more > 0 {
		t.add(cell{fmt.Sprintf("and %d more: stream-api events --problems", more), plain})
	}
	if err := t.write(w, colours); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// conditions counts what becomes of slots: 1 slot down, 3 degraded.
func conditions(found []problem.Problem) string {
	count := map[stream.Condition]int{}
	for _, p := range found {
		count[p.Kind]++
	}
	var said []string
	for _, c := range []stream.Condition{stream.SlotDown, stream.SlotDegraded, stream.SlotFragile} {
		if count[c] > 0 {
			said = append(said, fmt.Sprintf("%d %s", count[c], c))
		}
	}
	return strings.Join(said, ", ")
}
