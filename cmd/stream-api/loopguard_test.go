package main

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"stream-api/sources"
)

// An output published between two polls that are close together is known in
// the second.
func TestAFreshReadingBeganAfterItWasAskedFor(t *testing.T) {
	at := sources.Place{Host: "localhost", Name: "s1_out"}
	now := sources.Outputs{}
	g := newLoopGuard(nil)
	g.published = func(context.Context) (sources.Outputs, error) { return now, nil }
	if own, err := g.output(t.Context(), true); err != nil || len(own) != 0 {
		t.Fatalf("outputs %v, %v; want none", own, err)
	}
	now = sources.Outputs{at: {"s1"}}
	if own, _ := g.output(t.Context(), false); len(own) != 0 {
		t.Errorf("outputs %v were read anew although nobody asked for it", own)
	}
	if own, _ := g.output(t.Context(), true); len(own[at]) != 1 {
		t.Errorf("outputs %v; want what s1 published since", own)
	}
}

// Many sources that ask while one reading runs are served by the next one.
func TestSourcesShareAReading(t *testing.T) {
	const askers = 50
	reading, proceed := make(chan struct{}), make(chan struct{})
	var readings atomic.Int32
	g := newLoopGuard(nil)
	g.published = func(context.Context) (sources.Outputs, error) {
		if readings.Add(1) == 1 {
			close(reading)
			<-proceed
		}
		return sources.Outputs{}, nil
	}
	var all, asked sync.WaitGroup
	all.Go(func() { _, _ = g.output(t.Context(), true) })
	<-reading
	asked.Add(askers)
	for range askers {
		all.Go(func() {
			asked.Done()
			_, _ = g.output(t.Context(), true)
		})
	}
	asked.Wait()
	close(proceed)
	all.Wait()
	// Those that were counted may not have asked yet when the first reading ends: a few more readings, never one each.
	if n := readings.Load(); n < 2 || n > askers/2 {
		t.Errorf("%d readings for %d askers", n, askers+1)
	}
}
