package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"stream-api/store"
	"stream-api/stream"
)

// tour leads through the demo, one step after the other: each is told once the picture
// shows it, with what to do next. Who does something else is waited for.
type tour struct {
	program string // as it was called
	redis   string // the demo's store
	step    int
	pack    string // the host that had hls, the first to be killed
	pair    string // the host that had one of the pair, the second
	waiting string // the copy that waits for it
}

// tourKey is the stream that the tour is about, tourEnd the step after the last.
const (
	tourKey = "s1"
	tourEnd = 5
)

// guide tells the tour's steps until it is over or ctx ends.
func guide(ctx context.Context, s *store.Store, redis string) {
	t := tour{program: os.Args[0], redis: redis}
	_ = await(ctx, s, func(ctx context.Context) (over bool, err error) { // fails only by ctx
		status, err := readStatus(ctx, s)
		if err != nil {
			return false, nil // the next look comes at once, and the store is in this process
		}
		if text := t.next(status); text != "" {
			fmt.Printf("\n  %s\n\n", strings.ReplaceAll(text, "\n", "\n  "))
		}
		return t.step == tourEnd, nil
	})
}

// next gives what is to be told of the step, or nothing while it is not seen yet.
func (t *tour) next(status stream.Status) string {
	at := places(status, tourKey)
	switch t.step {
	case 0:
		pair := at.pair()
		if !at.run("dist", "transcode", "hls", "thumb") || len(pair) < 2 {
			return ""
		}
		t.step, t.pack = 1, at["hls"]
		return fmt.Sprintf("record runs on %s and on %s: of a pair no two share a host. dist is on %s, near the ingest, and transcode near dist.\n"+
			"thumb sits with hls on %s, whose files it reads. Now type: kill %s", pair[0], pair[1], at["dist"], at["hls"], t.pack)
	case 1:
		pair := at.pair()
		if !at.run("dist", "transcode", "hls", "thumb") || len(pair) < 2 || at["hls"] == t.pack || up(status, t.pack) {
			return ""
		}
		if t.pair = pair[0]; t.pair == at["hls"] {
			t.pair = pair[1]
		}
		t.step = 2
		return fmt.Sprintf("hls is on %s now, and thumb went with it. The pair is on %s and %s. Now type: kill %s", at["hls"], pair[0], pair[1], t.pair)
	case 2:
		for _, s := range status.Streams {
			for _, slot := range s.Slots {
				if s.Key == tourKey && slot.Slot == "record" && slot.State == stream.Pending && slot.Reason != "" && slot.Code != stream.CodeHostDown && len(at.pair()) == 1 && !up(status, t.pair) {
					t.step, t.waiting = 3, slot.Name
					return fmt.Sprintf("%s waits, for one host is left: %s\nrecord is degraded, not down: the other one runs. Why? In another terminal:\n  %s why %s %s --redis %s\nNow type: start %s",
						slot.Name, slot.Reason, t.program, tourKey, slot.Name, t.redis, t.pair)
				}
			}
		}
	case 3:
		if len(at.pair()) == 2 && up(status, t.pair) {
			t.step = 4
			return fmt.Sprintf("%s runs again, on %s. Now type: start %s, and then %s to end the stream", t.waiting, at[t.waiting], t.pack, tourKey)
		}
	case 4:
		if up(status, t.pack) && len(at) == 0 {
			t.step = tourEnd
			return "All of it has ended, and all hosts are free. That was the tour; go on as you like, or quit"
		}
	}
	return ""
}

// placed is where the instances of a stream run, by name.
type placed map[string]string

func places(status stream.Status, key string) placed {
	out := placed{}
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			if s.Key == key && slot.Shown() == string(stream.Running) {
				out[slot.Name] = slot.Host
			}
		}
	}
	return out
}

func (p placed) run(names ...string) bool {
	for _, name := range names {
		if p[name] == "" {
			return false
		}
	}
	return true
}

// pair gives the hosts of the copies of record, in the order of their names.
func (p placed) pair() []string {
	var out []string
	for n := 1; n < 100 && len(out) < 2; n++ {
		if host := p[fmt.Sprintf("record.%d", n)]; host != "" {
			out = append(out, host)
		}
	}
	return out
}

func up(status stream.Status, host string) bool {
	for _, h := range status.Hosts {
		if h.Host == host {
			return h.State == stream.Up
		}
	}
	return false
}
