package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stream-api/problem"
	"stream-api/store"
	"stream-api/stream"
)

// The exit codes of status --check are those of a check of Nagios, Icinga and kin.
const (
	checkOK = iota
	checkWarning
	checkCritical
	checkUnknown
)

var checkWords = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// checkStatus prints one line for a monitoring system, figures behind a |, and ends with its exit code. All that keeps
// it from an answer is UNKNOWN.
func checkStatus(ctx context.Context, g *global) error {
	status, lost, err := checked(ctx, g)
	code, text, figures := checkUnknown, "", ""
	if err != nil {
		text = store.Explain(err)
	} else {
		code, text, figures = judgement(status, lost)
	}
	// One line, and its first | is ours.
	text = strings.ReplaceAll(harmless(strings.Join(strings.Fields(text), " ")), "|", "/")
	fmt.Printf("%s - %s%s\n", checkWords[code], text, figures)
	if code == checkOK {
		return nil
	}
	return exitError{code, silentError{errors.New(checkWords[code])}}
}

func checked(ctx context.Context, g *global) (stream.Status, []problem.Lost, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	s, done, err := g.open(ctx)
	if err != nil {
		return stream.Status{}, nil, err
	}
	defer done()
	watch := &watcher{store: s}
	status, err := watch.read(ctx)
	return status, watch.lost.List(status.At), err
}

// judgement is the exit code, what there is to say, and the figures with the | before them.
func judgement(s stream.Status, lost []problem.Lost) (code int, text, figures string) {
	found := problem.Of(s, lost)
	worst, kinds := map[stream.Severity]int{}, map[stream.Condition]int{}
	for _, p := range found {
		worst[p.Level]++
		kinds[p.Kind]++
	}
	switch {
	case worst[stream.Bad] > 0:
		code = checkCritical
	case worst[stream.Warn] > 0:
		code = checkWarning
	}
	wanted, running := 0, 0
	for _, v := range s.Streams {
		for _, slot := range v.Slots {
			if slot.State == stream.Stopping {
				continue
			}
			wanted++
			if slot.Shown() == string(stream.Running) {
				running++
			}
		}
	}
	hosts, up := 0, 0
	for _, h := range s.Hosts {
		if h.Left {
			continue
		}
		hosts++
		if h.State != stream.Down {
			up++
		}
	}
	good := 0
	for _, v := range s.Sources {
		if v.State == stream.SourceGood {
			good++
		}
	}
	text = fmt.Sprintf("%d of %d slots of %d streams run, %d of %d hosts are up, %d of %d sources good", running, wanted, len(s.Streams), up, hosts, good, len(s.Sources))
	if together, more := problem.Together(found, 3); len(together) > 0 {
		var all []string
		for _, p := range together {
			all = append(all, p.What+": "+p.Why)
		}
		text = strings.Join(all, "; ")
		if more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
	}
	figures = fmt.Sprintf(" | slots=%d;;;0;%d slots_wanted=%d slots_down=%d slots_degraded=%d slots_fragile=%d streams=%d hosts_up=%d;;;0;%d sources_good=%d;;;0;%d problems_bad=%d;;0 problems_warn=%d;0",
		running, wanted, wanted, kinds[stream.SlotDown], kinds[stream.SlotDegraded], kinds[stream.SlotFragile], len(s.Streams), up, hosts, good, len(s.Sources), worst[stream.Bad], worst[stream.Warn])
	return code, text, figures
}

// watcher reads pictures and what happened between them.
type watcher struct {
	store *store.Store
	lost  problem.Losses
	after string // the last event that was read
}

// feedPart is how many events are read at once, and how many of the past.
const feedPart = 500

func (w *watcher) read(ctx context.Context) (stream.Status, error) {
	status, err := readStatus(ctx, w.store)
	if err != nil {
		return status, err
	}
	var events []store.Event
	if w.after == "" {
		events, err = w.store.LastEvents(ctx, feedPart)
	} else {
		events, err = w.store.Events(ctx, w.after, feedPart, 0)
	}
	for _, e := range events {
		w.after = e.ID
		if e.Event == problem.EventLost {
			at, _ := e.At() // Redis gave the id
			stream.Show(&e)
			w.lost.Add(problem.Lost{At: at, Stream: e.Stream, Slot: e.Slot, Host: e.Host, Told: e.Told})
		}
	}
	return status, err
}
